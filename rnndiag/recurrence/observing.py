"""Sum up what a cell's units and gates do, block by block as it runs.

A block's values are added up in float32, by torch's pairwise sums; what comes of that in float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields

import torch
from torch import Tensor

from rnndiag.cells.base import Cell, as_array
from rnndiag.products import gram
from rnndiag.records import Activity, Budget, GateStatistics, UnitStatistics
from rnndiag.records.activity import EXTREME, HIGH, LOW
from rnndiag.recurrence.unrolling import Block, Trajectory

_CANDIDATE = "candidate"
"""The gate that is activated like the state, from -1 to 1."""
_PARTS = tuple(field.name for field in fields(Budget))
"""Of a pre-activation; `Parts` has them by the same names."""


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
        self._wrong = 0
        self._sums: dict[str, Tensor] = {}
        self._moments = _Moments(cell.kernel.new_zeros(cell.hidden_size))
        self._room = _Room(cell.kernel)
        low = [-HIGH if name == _CANDIDATE else LOW for name in cell.gates]
        self._low = cell.kernel.new_tensor(low).repeat_interleave(cell.units)

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

    def rest(self) -> None:
        """Give back the memory that seeing takes; more may be seen later."""
        self._room.clear()

    def _see_states(self, block: Block, real: Tensor | None) -> None:
        h, *others = (_rows(part, real) for part in block.after)
        self._wrong += sum(map(_non_finite, (h, *others)))
        h = self._by_unit(h)
        self._moments.add(h)
        size = h.abs()
        self._add("abs", _sum(size))
        self._add("off", self._count(torch.eq, h, 0.0))
        self._add("extreme", self._count(torch.gt, size, EXTREME))

    def _see_gates(self, block: Block, real: Tensor | None) -> None:
        gates = [self._by_unit(_rows(gate, real)) for gate in block.steps.gates]
        width = sum(gate.shape[1] for gate in gates)
        values = torch.cat(gates, -1, out=self._room.of("gates", len(gates[0]), width))
        self._add("gates", _sum(values))
        self._add("low", self._count(torch.lt, values, self._low))
        self._add("high", self._count(torch.gt, values, HIGH))

    def _see_parts(self, block: Block, real: Tensor | None, pairs: int) -> None:
        parts = self._cell.parts(block.steps)
        for name in _PARTS:
            squares = torch.cat([self._squares(getattr(own, name), real, pairs) for own in parts])
            self._add(name, squares.view(len(self._cell.gates), -1).sum(1))

    def _squares(self, part: Tensor, real: Tensor | None, pairs: int) -> Tensor:
        """Σ v² of each column over all steps."""
        if part.dim() == 1:  # a bias that is the same at all of them
            return pairs * _wide(part).square()
        return self._sum_of_squares(_rows(part, real))

    def _count(self, compare: Callable[..., Tensor], rows: Tensor, cut: float | Tensor) -> Tensor:
        """In how many of the rows each column compares with `cut` like that."""
        # Numbers for an answer are several times faster than truth values, which have to be cast.
        return compare(rows, cut, out=self._room.of("scratch", *rows.shape)).sum(0)

    def _sum_of_squares(self, rows: Tensor) -> Tensor:
        """Σ v² of each column, right as well where the squares leave float32's range."""
        found = _wide(torch.square(rows, out=self._room.of("scratch", *rows.shape)).sum(0))
        return found if _is_finite(found) else _wide(rows).square().sum(0)

    def _by_unit(self, rows: Tensor) -> Tensor:
        """A row for each position, too: of a convolution, a unit is a filter."""
        return rows.reshape(-1, rows.shape[1] // self._cell.positions)

    def _add(self, name: str, value: Tensor) -> None:
        added = _wide(value)
        self._sums[name] = self._sums[name] + added if name in self._sums else added

    def activity(self) -> Activity:
        """All that was seen; zeros where nothing was."""
        gates, units = self._cell.gates, self._cell.units
        columns = [self._mean(name, len(gates) * units) for name in ("gates", "low", "high")]
        by_gate = zip(*(as_array(part.view(-1, units)) for part in columns), strict=True)
        squares = [(self._mean(name, len(gates)) / units).tolist() for name in _PARTS]
        return Activity(
            units=self._units(),
            gates={
                name: GateStatistics(mean=mean, low_share=low, high_share=high)
                for name, (mean, low, high) in zip(gates, by_gate, strict=True)
            },
            preactivations={
                name: Budget(**dict(zip(_PARTS, own, strict=True)))
                for name, own in zip(gates, zip(*squares, strict=True), strict=True)
            },
        )

    def _units(self) -> UnitStatistics:
        mean, covariance = self._moments.found()
        return UnitStatistics(
            steps=self._pairs,
            mean=as_array(mean),
            covariance=as_array(covariance),
            mean_abs=as_array(self._mean("abs", self._cell.hidden_size)),
            off_share=as_array(self._mean("off", self._cell.hidden_size)),
            extreme_share=as_array(self._mean("extreme", self._cell.hidden_size)),
            non_finite=self._wrong,
        )

    def _mean(self, name: str, size: int) -> Tensor:
        """Of what was added up under `name`, over pairs and positions."""
        zeros = torch.zeros(size, dtype=torch.float64)
        count = max(1, self._pairs * self._cell.positions)
        return self._sums.get(name, zeros) / count


class _Moments:
    """Mean and covariance of rows that come block by block (Chan et al. 1983).

    Deviations from each block's own mean keep the digits that squares would lose.
    """

    def __init__(self, row: Tensor) -> None:
        """`row` is like those that will come."""
        self._scatter = torch.zeros_like(_wide(row.outer(row)))
        self._counts: list[int] = []
        self._means: list[Tensor] = []
        self._rests: list[Tensor] = []
        """What is left of a block's mean once it is rounded to the rows' own digits."""

    def add(self, rows: Tensor) -> None:
        """Some more of them, (N, width)."""
        center = (_sum(rows) / len(rows)).to(rows)
        deviation = rows - center
        rest = _sum(deviation) / len(rows)
        self._scatter += _wide(_second_moments(deviation))
        self._counts.append(len(rows))
        self._means.append(_wide(center) + rest)
        self._rests.append(rest)

    def found(self) -> tuple[Tensor, Tensor]:
        """(width,) and (width, width), float64; zeros of no rows."""
        if not self._counts:
            return torch.zeros_like(self._scatter[0]), self._scatter
        means, rests = torch.stack(self._means), torch.stack(self._rests)
        counts = torch.tensor(self._counts).to(means)
        total = counts.sum()
        mean = counts @ means / total
        between, within = (part * counts.sqrt().unsqueeze(1) for part in (means - mean, rests))
        return mean, (self._scatter + between.T @ between - within.T @ within) / total


class _Room:
    """Memory that is written over again and again: to get new one takes as long as to fill it."""

    def __init__(self, kind: Tensor) -> None:
        """For arrays of this `kind` of element, on its device."""
        self._kind = kind
        self._memory: dict[str, Tensor] = {}

    def of(self, name: str, *shape: int) -> Tensor:
        """An array of this `shape`, written over where the next one of its `name` is asked for."""
        size = math.prod(shape)
        if name not in self._memory or self._memory[name].numel() < size:
            self._memory[name] = self._kind.new_empty(size)
        return self._memory[name][:size].view(shape)

    def clear(self) -> None:
        """Give all of it back."""
        self._memory.clear()


def _rows(values: Tensor, real: Tensor | None) -> Tensor:
    """(N, …) of the N unmasked (sample, timestep) pairs."""
    flat = values.flatten(0, 1)
    return flat if real is None else flat[real]


def _wide(values: Tensor) -> Tensor:
    """In float64, which Apple's GPUs do not have."""
    return (values.cpu() if values.device.type == "mps" else values).double()


def _sum(rows: Tensor) -> Tensor:
    """Σ over the rows; float64, right to float32's last digits."""
    found = _wide(rows.sum(0))
    # The sum of what float32 holds may be beyond its range.
    return found if _is_finite(found) else _wide(rows).sum(0)


def _is_finite(values: Tensor) -> bool:
    """Whether all are and their sum is."""
    return math.isfinite(values.sum())


def _non_finite(rows: Tensor) -> int:
    """How many values are NaN or infinite."""
    return 0 if _is_finite(rows) else int((~torch.isfinite(rows)).sum())


def _second_moments(rows: Tensor) -> Tensor:
    """Σ v vᵀ over the rows v, right as well where the squares leave float32's range."""
    found = gram(rows)
    return found if _is_finite(found) else gram(_wide(rows))
