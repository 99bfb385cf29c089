"""Which units say nothing, and how many sit at the ends of their range."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rnndiag.measurements._gates import is_projected
from rnndiag.measurements._steps import broken_states
from rnndiag.records import Array, LayerRun, Options, Skipped

OFF_SHARE = 0.99
"""A rectified unit that is 0 on this share of steps is dead; this project's own cut."""
DORMANT_SHARE = 0.025
"""Of the layer's mean activity: a unit below it is dormant (Sokar et al. 2023)."""
DORMANT_LEVEL = 1e-3
"""E|h| and standard deviation that count as nothing whatever the layer's mean is."""
CONSTANT_SPREAD = 1e-6
"""A unit whose standard deviation is smaller does not move."""


@dataclass(frozen=True, kw_only=True)
class UnitActivity:
    """Over all unmasked (sample, timestep) pairs of the probe."""

    dead_share: float
    """Share of units that are dead."""
    dead_units: tuple[int, ...]
    """Their indices. A rectified unit is dead where it is 0 on at least 99 % of steps, any
    other where it is dormant or constant."""
    constant_units: tuple[int, ...]
    """Indices of the units whose standard deviation is below 1e-6."""
    extreme_share: float | None
    """Share of |h| > 0.99 over all units; None where the activation has no bounds."""
    mean_abs: float
    """Mean of |h| over all units."""
    steps: int
    """How many (sample, timestep) pairs all this rests on."""
    padding_share: float
    """Share of these steps that are trailing padding which the network does not mask."""


def measure(run: LayerRun, options: Options) -> UnitActivity | Skipped:
    """The activity of one layer's units; skipped where fewer than two steps were seen."""
    problem = broken_states(run)
    if problem is not None:
        return problem
    seen = run.activity.units
    if seen.steps < 2:
        return Skipped(reason="a single timestep does not show which units are active")
    level = seen.mean_abs
    spread = np.sqrt(seen.covariance.diagonal().clip(min=0))
    constant = spread < CONSTANT_SPREAD
    projected = is_projected(run)
    rectified = run.rectified and not projected
    dead = seen.off_share >= OFF_SHARE if rectified else constant | _dormant(level, spread)
    return UnitActivity(
        dead_share=float(dead.mean()),
        dead_units=tuple(np.flatnonzero(dead).tolist()),
        constant_units=tuple(np.flatnonzero(constant).tolist()),
        extreme_share=float(seen.extreme_share.mean()) if run.bounded and not projected else None,
        mean_abs=float(level.mean()),
        steps=seen.steps,
        # To the network, what it does not mask is as real as any other step.
        padding_share=1 - float(run.real.sum() / run.mask.sum()),
    )


def _dormant(level: Array, spread: Array) -> Array:
    """(H,) whether each unit is both quiet, against its layer or at all, and still."""
    quiet: Array = level <= max(DORMANT_SHARE * level.mean(), DORMANT_LEVEL)
    return quiet & (spread < DORMANT_LEVEL)
