"""The gradient profile: how much of a gradient is left k steps back, and what follows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rnndiag.records import Array, Skipped
from rnndiag.slopes import theil_sen

FIT_FLOOR = 1e-8
"""The decay is fitted down to this share of g_0."""
_FIT_POINTS = 400
"""A line through more points than this is fitted to evenly spaced ones."""
_FLAT = 1e-4
"""A fitted fall smaller than this over the whole profile is none: gradients are as exact."""
_TIE = 1e-6
"""How far under α·g_0 still counts as equal: float32 does not tell smaller differences."""
_LARGEST_LOG = 700.0
"""exp of more than this is no float."""


@dataclass(frozen=True, kw_only=True)
class GradientProfile:
    """The profile g_k of a gradient, k = 0 … steps back from the last real step."""

    span: int
    """1 + the largest k with g_k ≥ α g_0, in timesteps."""
    censored: bool
    """Whether the span ends only because the profile does: then it is at least `span`."""
    timesteps: int
    """How many steps the profile covers: the median length of the samples."""
    alpha: float
    """The share of g_0 that still counts; this project's own cut."""
    half_life: float | None
    """Steps in which the gradient halves by the fit; None where it does not decay."""
    decay_per_step: float | None
    """g_{k+1} / g_k by a Theil-Sen fit of the log profile; None for a single step."""
    growth: float
    """max g_k / g_0."""
    log10_profile: tuple[float | None, ...]
    """log10(g_k / g_0) for each k; None where the gradient is exactly 0, or beyond what a pulse is
    followed to (`pulses.floor`)."""


def log_profile(log_norm: Array, real: Array) -> Array:
    """Natural logarithm of g_k for k = 0 … steps back; empty where no step counts.

    `log_norm` (P, B, T) are natural logarithms of ‖(δ, γ)_t‖, `real` (B, T) the steps that
    count. g_k is the arithmetic mean over pulses and samples that have step k, for k up to
    the median length of the samples that have any; it is summed as logarithms, so it cannot
    underflow.
    """
    logs, has = steps_back(log_norm, real)
    if not has.size:
        return np.empty(0)
    with np.errstate(invalid="ignore"):  # a NaN stays one, and `describe` tells of it
        total = np.logaddexp.reduce(np.where(has, logs, -np.inf), axis=(0, 1))
    mean: Array = total - np.log(len(log_norm) * has.sum(axis=0))
    return mean


def steps_back(values: Array, real: Array) -> tuple[Array, Array]:
    """`values` (P, B, T) as (P, B, K) by real steps back from each sample's last one.

    K is the median number of steps that count, by `real` (B, T), over the samples that have
    any. The second array, (B, K) bool, is false where a sample has no such step.
    """
    lengths = real.sum(axis=1)
    steps = int(np.median(lengths[lengths > 0])) if lengths.any() else 0
    # A stable sort on "does not count" brings each sample's real steps to the front.
    back = np.argsort(~real[:, ::-1], axis=1, kind="stable")[:, :steps]
    found: Array = np.take_along_axis(values[:, :, ::-1], back[None], axis=2)
    has: Array = lengths[:, None] > np.arange(steps)
    return found, has


def reach(logs: Array, alpha: float) -> int | Skipped:
    """The span by ln g_k, in timesteps; skipped where there is no gradient to follow."""
    if not len(logs):
        return Skipped(reason="no sample has an unmasked timestep")
    if np.isnan(logs).any() or np.isposinf(logs).any():
        return Skipped(reason="the gradient is not finite")
    if np.isneginf(logs[0]):
        return Skipped(reason="the gradient is zero at the last step")
    return int(np.flatnonzero(logs - logs[0] >= np.log(alpha) - _TIE)[-1]) + 1


def describe(logs: Array, alpha: float) -> GradientProfile | Skipped:
    """What follows from ln g_k; skipped where there is no gradient to follow."""
    span = reach(logs, alpha)
    if isinstance(span, Skipped):
        return span
    relative = logs - logs[0]
    k = fitted_steps(relative)
    slope = theil_sen(k, relative[k])
    falls = slope is not None and slope * (len(logs) - 1) < -_FLAT
    return GradientProfile(
        span=span,
        censored=span == len(logs),
        timesteps=len(logs),
        alpha=alpha,
        half_life=float(-np.log(2) / slope) if slope is not None and falls else None,
        decay_per_step=None if slope is None else _exp(slope),
        growth=_exp(relative.max()),
        log10_profile=tuple(None if x == -np.inf else x for x in (relative / np.log(10)).tolist()),
    )


def _exp(log: float) -> float:
    return float(np.exp(min(log, _LARGEST_LOG)))


def fitted_steps(relative: Array) -> Array:
    """The steps back k that the slope of ln(g_k / g_0) is fitted to: two at least, if it has them.

    They end where it first falls below the floor.
    """
    below = np.flatnonzero(relative < np.log(FIT_FLOOR))
    # A gradient that is gone after one step has a slope too: that of this step.
    end = max(int(below[0]), 2) if len(below) else len(relative)
    found: Array = np.unique(np.linspace(0, end - 1, min(end, _FIT_POINTS)).astype(int))
    return found
