"""Sum up what a cell's units and gates do, block by block as it runs.

Sums over a block are float32's, as the values are; those over blocks are float64's.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from rnndiag.cells.base import Cell, as_array
from rnndiag.records import Activity, Budget, GateStatistics, UnitStatistics
from rnndiag.records.activity import EXTREME, HIGH, LOW
from rnndiag.recurrence import Block, Trajectory

_CANDIDATE = "candidate"
"""The gate that is activated like the state, from -1 to 1."""


def observe(run: Trajectory) -> Activity:
    """What the cell did over a run that nobody watched."""
    observer = Observer(run.cell)
    for block in run.blocks():
        observer.see(block)
    return observer.activity()


class Observer:
    """Sees each block once."""

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._pairs = 0
        self._sums: dict[str, Tensor] = {}
        self._shift: Tensor | None = None

    @torch.no_grad()
    def see(self, block: Block) -> None:
        """Add what happened at the block's unmasked steps."""
        real = None if block.mask is None or bool(block.mask.all()) else block.mask.flatten()
        pairs = math.prod(block.after[0].shape[:2]) if real is None else int(real.sum())
        if pairs:
            self._pairs += pairs
            self._see_states(block, real)
            self._see_gates(block, real)
            self._see_parts(block, real, pairs)

    def _see_states(self, block: Block, real: Tensor | None) -> None:
        h, *others = (_rows(part, real) for part in block.after)
        self._add("wrong", sum(map(_non_finite, (h, *others))))
        h = self._by_unit(h)
        if self._shift is None:
            # Deviations from some mean or other keep the digits that squares would lose.
            self._shift = h.mean(0)
        deviation, size = h - self._shift, h.abs()
        self._add("deviation", _sum(deviation))
        self._add("square", _second_moments(deviation))
        self._add("abs", _sum(size))
        self._add("off", _count(torch.eq, h, 0.0))
        self._add("extreme", _count(torch.gt, size, EXTREME))

    def _see_gates(self, block: Block, real: Tensor | None) -> None:
        for name, gate in zip(self._cell.gates, block.steps.gates, strict=True):
            values = self._by_unit(_rows(gate, real))
            self._add(f"{name} mean", _sum(values))
            self._add(f"{name} low", _count(torch.lt, values, -HIGH if name == _CANDIDATE else LOW))
            self._add(f"{name} high", _count(torch.gt, values, HIGH))

    def _see_parts(self, block: Block, real: Tensor | None, pairs: int) -> None:
        parts = self._cell.parts(block.steps)
        for name in ("kernel", "recurrent", "bias"):
            part = getattr(parts, name)
            rows = _rows(part, real) if part.dim() > 1 else part.unsqueeze(0)
            repeated = 1 if part.dim() > 1 else pairs
            squares = repeated * _sum_of_squares(rows)
            self._add(name, squares.view(len(self._cell.gates), -1).sum(1))

    def _by_unit(self, rows: Tensor) -> Tensor:
        """A row for each position, too: of a convolution, a unit is a filter."""
        return rows.reshape(-1, rows.shape[1] // self._cell.positions)

    def _add(self, name: str, value: Tensor | int) -> None:
        added = _wide(torch.as_tensor(value))
        self._sums[name] = self._sums[name] + added if name in self._sums else added

    def activity(self) -> Activity:
        """All that was seen; zeros where nothing was."""
        return Activity(
            units=self._units(),
            gates={name: self._gate(name) for name in self._cell.gates},
            preactivations={name: self._budget(k) for k, name in enumerate(self._cell.gates)},
        )

    def _units(self) -> UnitStatistics:
        off = self._mean("deviation", self._cell.hidden_size)
        square = self._mean("square", self._cell.hidden_size, self._cell.hidden_size)
        shift = torch.zeros_like(off) if self._shift is None else self._shift.double()
        return UnitStatistics(
            steps=self._pairs,
            mean=as_array(shift + off),
            covariance=as_array(square - torch.outer(off, off)),
            mean_abs=as_array(self._mean("abs", self._cell.hidden_size)),
            off_share=as_array(self._mean("off", self._cell.hidden_size)),
            extreme_share=as_array(self._mean("extreme", self._cell.hidden_size)),
            non_finite=int(self._sums.get("wrong", torch.zeros(()))),
        )

    def _gate(self, name: str) -> GateStatistics:
        mean, low, high = (
            as_array(self._mean(f"{name} {which}", self._cell.units))
            for which in ("mean", "low", "high")
        )
        return GateStatistics(mean=mean, low_share=low, high_share=high)

    def _budget(self, gate: int) -> Budget:
        kernel, recurrent, bias = (
            float(self._mean(name, len(self._cell.gates))[gate]) / self._cell.units
            for name in ("kernel", "recurrent", "bias")
        )
        return Budget(kernel=kernel, recurrent=recurrent, bias=bias)

    def _mean(self, name: str, *shape: int) -> Tensor:
        """Of what was added up under `name`, over pairs and positions."""
        zeros = torch.zeros(shape, dtype=torch.float64)
        count = max(1, self._pairs * self._cell.positions)
        return self._sums.get(name, zeros) / count


def _rows(values: Tensor, real: Tensor | None) -> Tensor:
    """(N, …) of the N unmasked (sample, timestep) pairs."""
    flat = values.flatten(0, 1)
    return flat if real is None else flat[real]


def _wide(values: Tensor) -> Tensor:
    """In float64, which Apple's GPUs do not have."""
    return (values.cpu() if values.device.type == "mps" else values).double()


def _sum(rows: Tensor) -> Tensor:
    """Σ over the rows; a product, which is faster than torch's own sum along them."""
    return rows.new_ones(len(rows)) @ rows


def _count(compare: Callable[..., Tensor], rows: Tensor, cut: float) -> Tensor:
    """In how many of the rows each column compares with `cut` like that."""
    # Numbers for an answer are several times faster than truth values, which have to be cast.
    return _sum(compare(rows, cut, out=torch.empty_like(rows)))


def _non_finite(rows: Tensor) -> int:
    """How many values are NaN or infinite."""
    if bool(torch.isfinite(rows.sum())):
        return 0
    return int((~torch.isfinite(rows)).sum())


def _second_moments(rows: Tensor) -> Tensor:
    """Σ v vᵀ over the rows v, right as well where the squares leave float32's range."""
    found = rows.T @ rows
    return found if bool(torch.isfinite(found).all()) else _wide(rows).T @ _wide(rows)


def _sum_of_squares(rows: Tensor) -> Tensor:
    """Of each column, right as well where the squares leave float32's range."""
    found = _sum(rows.square())
    return found if bool(torch.isfinite(found).all()) else _sum(_wide(rows).square())
