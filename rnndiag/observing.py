"""Sum up what a cell's units and gates do, block by block as it runs.

A few dozen values are added up in float32, as they are; what comes of that in float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from rnndiag.cells.base import Cell, as_array
from rnndiag.products import gram
from rnndiag.records import Activity, Budget, GateStatistics, UnitStatistics
from rnndiag.records.activity import EXTREME, HIGH, LOW
from rnndiag.recurrence import Block, Trajectory

_FEW = 64
"""Rows that a product may add up."""
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
        self._rows = 0
        self._mean_state = _wide(cell.kernel.new_zeros(cell.hidden_size))
        self._scatter = torch.zeros_like(self._mean_state.outer(self._mean_state))

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
        self._merge(h)
        size = h.abs()
        self._add("abs", _sum(size))
        self._add("off", _count(torch.eq, h, 0.0))
        self._add("extreme", _count(torch.gt, size, EXTREME))

    def _merge(self, h: Tensor) -> None:
        """Mean and scatter with those of `h` (N, H), which rests elsewhere (Chan et al. 1983).

        Deviations from a block's own mean keep the digits that squares would lose.
        """
        center = (_sum(h) / len(h)).to(h.dtype)
        deviation = h - center
        off = _sum(deviation) / len(h)
        scatter = _wide(_second_moments(deviation)) - len(h) * off.outer(off)
        step = _wide(center) + off - self._mean_state
        total = self._rows + len(h)
        self._scatter += scatter + step.outer(step) * (self._rows * len(h) / total)
        self._mean_state += step * (len(h) / total)
        self._rows = total

    def _see_gates(self, block: Block, real: Tensor | None) -> None:
        for name, gate in zip(self._cell.gates, block.steps.gates, strict=True):
            values = self._by_unit(_rows(gate, real))
            self._add(f"{name} mean", _sum(values))
            self._add(f"{name} low", _count(torch.lt, values, -HIGH if name == _CANDIDATE else LOW))
            self._add(f"{name} high", _count(torch.gt, values, HIGH))

    def _see_parts(self, block: Block, real: Tensor | None, pairs: int) -> None:
        for gate, parts in zip(self._cell.gates, self._cell.parts(block.steps), strict=True):
            for name in ("kernel", "recurrent", "bias"):
                part = getattr(parts, name)
                alike = part.dim() == 1
                squares = _sum_of_squares(part.unsqueeze(0) if alike else _rows(part, real))
                self._add(f"{gate} {name}", pairs * squares if alike else squares)

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
            preactivations={name: self._budget(name) for name in self._cell.gates},
        )

    def _units(self) -> UnitStatistics:
        return UnitStatistics(
            steps=self._pairs,
            mean=as_array(self._mean_state),
            covariance=as_array(self._scatter / max(1, self._rows)),
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

    def _budget(self, gate: str) -> Budget:
        kernel, recurrent, bias = (
            float(self._mean(f"{gate} {name}")) / self._cell.units
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
    """Σ over the rows; float64, right to float32's last digits."""
    # A product adds one row after the other: of thousands alike, each sum is rounded one way.
    whole = len(rows) // _FEW * _FEW
    few = rows.new_ones(_FEW) @ rows[:whole].reshape(_FEW, -1)
    found = _wide(few.view(-1, rows.shape[1])).sum(0) + _wide(rows[whole:]).sum(0)
    # Few enough may still be beyond float32's range.
    return found if bool(torch.isfinite(found).all()) else _wide(rows).sum(0)


def _count(compare: Callable[..., Tensor], rows: Tensor, cut: float) -> Tensor:
    """In how many of the rows each column compares with `cut` like that."""
    # Numbers for an answer are several times faster than truth values, which have to be cast.
    return rows.new_ones(len(rows)) @ compare(rows, cut, out=torch.empty_like(rows))


def _non_finite(rows: Tensor) -> int:
    """How many values are NaN or infinite."""
    if bool(torch.isfinite(rows.sum())):
        return 0
    return int((~torch.isfinite(rows)).sum())


def _second_moments(rows: Tensor) -> Tensor:
    """Σ v vᵀ over the rows v, right as well where the squares leave float32's range."""
    found = gram(rows)
    return found if bool(torch.isfinite(found).all()) else gram(_wide(rows))


def _sum_of_squares(rows: Tensor) -> Tensor:
    """Of all values, right as well where the squares leave float32's range."""
    found = _sum(rows.square()).sum()
    return found if bool(torch.isfinite(found)) else _wide(rows).square().sum()
