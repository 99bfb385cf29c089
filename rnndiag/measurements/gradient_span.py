"""How far back in time the gradient of one step reaches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rnndiag.measurements._profile import log_profile
from rnndiag.records import Array, LayerRun, Options, Skipped

FIT_FLOOR = 1e-8
"""The decay is fitted down to this share of g_0."""
_FIT_POINTS = 400
"""A line through more points than this is fitted to evenly spaced ones."""


@dataclass(frozen=True, kw_only=True)
class GradientSpan:
    """The profile g_k of a pulse on the layer's last real step, and what follows from it."""

    span: int
    """1 + the largest k with g_k ≥ α g_0, in timesteps."""
    censored: bool
    """Whether the span ends only because the sequence does: then it is at least `span`."""
    timesteps: int
    """How many steps the profile covers."""
    alpha: float
    """The share of g_0 that still counts; this project's own cut."""
    half_life: float | None
    """Steps in which the gradient halves; None where it does not decay."""
    decay_per_step: float | None
    """g_{k+1} / g_k by a Theil-Sen fit of the log profile."""
    growth: float
    """max g_k / g_0."""
    log10_profile: tuple[float | None, ...]
    """log10(g_k / g_0) for each k; None where the gradient is exactly 0."""
    cotangent: str
    """Where the pulse came from: the network's output, or isotropic vectors on h_T."""


def measure(run: LayerRun, options: Options) -> GradientSpan | Skipped:
    """The span of one layer's run; skipped where no gradient is there to follow."""
    logs, _ = log_profile(run.pulse_log_norm, run.real)
    if not len(logs):
        return Skipped(reason="no sample has an unmasked timestep")
    if np.isnan(logs).any() or np.isposinf(logs).any():
        return Skipped(reason="the gradient is not finite")
    if np.isneginf(logs[0]):
        return Skipped(reason="the gradient is zero at the pulse itself")
    relative = logs - logs[0]
    alive = np.flatnonzero(relative >= np.log(options.alpha))
    slope = _slope(relative)
    return GradientSpan(
        span=int(alive[-1]) + 1,
        censored=bool(alive[-1] == len(logs) - 1),
        timesteps=len(logs),
        alpha=options.alpha,
        half_life=None if slope is None or slope >= 0 else float(-np.log(2) / slope),
        decay_per_step=None if slope is None else float(np.exp(slope)),
        growth=float(np.exp(min(relative.max(), 700.0))),
        log10_profile=tuple(None if np.isneginf(x) else float(x / np.log(10)) for x in relative),
        cotangent=run.pulse,
    )


def _slope(relative: Array) -> float | None:
    """Theil-Sen slope of the log profile until it first falls below the floor."""
    below = np.flatnonzero(relative < np.log(FIT_FLOOR))
    end = int(below[0]) if len(below) else len(relative)
    if end < 2:
        return None
    k = np.unique(np.linspace(0, end - 1, min(end, _FIT_POINTS)).astype(int))
    rise = relative[k][None, :] - relative[k][:, None]
    later, earlier = np.tril_indices(len(k), -1)
    return float(np.median(rise[earlier, later] / (k[later] - k[earlier])))
