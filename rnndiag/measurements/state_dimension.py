"""Over how many directions the state is spread, and whether one unit stands out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rnndiag.measurements._steps import broken_states
from rnndiag.measurements.unit_activity import CONSTANT_SPREAD
from rnndiag.records import Array, LayerRun, Options, Skipped


@dataclass(frozen=True, kw_only=True)
class StateDimension:
    """Of the hidden state over all unmasked (sample, timestep) pairs of the probe."""

    top_unit: int
    """Index of the unit with the largest E h²."""
    top_unit_share: float
    """Its share of the sum of E h² over the units."""
    participation_ratio: float | None
    """(Σλ)² / Σλ² of the state covariance: 1 where one direction varies, H where all do alike.
    None where no unit varies."""
    participation_share: float | None
    """The same over H."""


def measure(run: LayerRun, options: Options) -> StateDimension | Skipped:
    """The spread of one layer's states; skipped where they are all 0 or too few."""
    problem = broken_states(run)
    if problem is not None:
        return problem
    seen = run.activity.units
    if seen.steps * run.positions < 2:
        return Skipped(reason="a single timestep has no covariance")
    covariance = seen.covariance
    power = covariance.diagonal() + np.square(seen.mean)
    if not power.any():
        return Skipped(reason="all states are zero")
    ratio = _participation(covariance)
    return StateDimension(
        top_unit=int(power.argmax()),
        top_unit_share=float(power.max() / power.sum()),
        participation_ratio=ratio,
        participation_share=None if ratio is None else ratio / len(covariance),
    )


def _participation(covariance: Array) -> float | None:
    """(Σλ)² / Σλ² from the traces of C and C²: no eigenvalue has to be computed."""
    if covariance.diagonal().max() < CONSTANT_SPREAD**2:
        return None
    return float(covariance.trace() ** 2 / np.square(covariance).sum())
