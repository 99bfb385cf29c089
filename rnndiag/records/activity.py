"""What units and gates did over a probe, summed up: all that judging them takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rnndiag.records.common import Array

EXTREME = 0.99
"""|h| above it is extreme; this project's own cut."""
LOW, HIGH = 0.1, 0.9
"""A gate below or above is saturated (Karpathy et al. 2015); a candidate beyond ±0.9."""


@dataclass(frozen=True, kw_only=True)
class UnitStatistics:
    """Of h over all unmasked (sample, timestep) pairs and, in a convolution, positions.

    A convolution's unit is a filter. Its weights are the same at all positions, so that what it
    does at one of them alone is the image's doing: a border, a background that never changes.
    """

    steps: int
    """How many (sample, timestep) pairs."""
    mean: Array
    """(H,) E h."""
    covariance: Array
    """(H, H) E (h - E h)(h - E h)ᵀ."""
    mean_abs: Array
    """(H,) E |h|."""
    off_share: Array
    """(H,) share of values that are exactly 0."""
    extreme_share: Array
    """(H,) share of values beyond ±0.99."""
    non_finite: int
    """How many values of h and c are NaN or infinite; then the others mean nothing."""


@dataclass(frozen=True, kw_only=True)
class GateStatistics:
    """Of one gate, over the same."""

    mean: Array
    """(H,)."""
    low_share: Array
    """(H,) share of values below 0.1; of a candidate below -0.9."""
    high_share: Array
    """(H,) share of values above 0.9."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Mean squares of the three parts of one gate's pre-activation, over the same."""

    kernel: float
    recurrent: float
    bias: float


@dataclass(frozen=True, kw_only=True)
class Activity:
    """All of it, of one layer and direction."""

    units: UnitStatistics
    gates: Mapping[str, GateStatistics]
    preactivations: Mapping[str, Budget]
