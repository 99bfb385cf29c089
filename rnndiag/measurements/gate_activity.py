"""Which gates never leave one end of their range."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rnndiag.measurements._gates import KEEPING, is_candidate
from rnndiag.measurements._steps import broken_states
from rnndiag.records import GateStatistics, LayerRun, Options, Skipped

STUCK_SHARE = 0.95
"""Saturated at the same end on this share of steps is stuck; this project's own cut."""


@dataclass(frozen=True, kw_only=True)
class Gate:
    """One gate over all unmasked (sample, timestep) pairs of the probe."""

    left_stuck_share: float
    """Share of units below 0.1 (candidate: below -0.9) on at least 95 % of steps."""
    right_stuck_share: float
    """Share of units above 0.9 on at least 95 % of steps."""
    stuck_share: float
    """What is a fault: either side, but only the left of a gate that keeps the state."""
    left_share: float
    """Share of all values, over units and steps, below 0.1 (candidate: -0.9)."""
    right_share: float
    """Share of all values, over units and steps, above 0.9."""
    mean: float
    """Mean over units and steps."""


class GateActivity(Mapping[str, Gate]):
    """Each gate by its name; read-only."""

    def __init__(self, gates: Mapping[str, Gate]) -> None:
        self._gates = dict(gates)

    def __getitem__(self, name: str) -> Gate:
        return self._gates[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._gates)

    def __len__(self) -> int:
        return len(self._gates)

    def __repr__(self) -> str:
        return f"GateActivity({self._gates!r})"


def measure(run: LayerRun, options: Options) -> GateActivity | Skipped:
    """The activity of each gate; skipped for a cell that has none."""
    if len(run.weights.gates) < 2:
        return Skipped(reason=f"a {run.kind} has no gates")
    problem = broken_states(run)
    if problem is not None:
        return problem
    gates = run.activity.gates
    return GateActivity(
        {name: _gate(name, seen, bounded=run.bounded) for name, seen in gates.items()}
    )


def _gate(name: str, seen: GateStatistics, *, bounded: bool) -> Gate:
    """One gate's record.

    A candidate without bounds (relu) has no ends to be stuck at: all its shares are 0.
    """
    counted = 0 if is_candidate(name) and not bounded else 1
    left, right = counted * seen.low_share, counted * seen.high_share
    shut, open_ = left >= STUCK_SHARE, right >= STUCK_SHARE
    return Gate(
        left_stuck_share=float(shut.mean()),
        right_stuck_share=float(open_.mean()),
        stuck_share=float((shut if name in KEEPING else shut | open_).mean()),
        left_share=float(left.mean()),
        right_share=float(right.mean()),
        mean=float(seen.mean.mean()),
    )
