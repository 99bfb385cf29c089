"""Whether small differences of the state grow or fade along the probe."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

import numpy as np

from rnndiag.measurements._steps import broken_states
from rnndiag.records import Array, LayerRun, Options, Skipped

BURN_IN = 20
"""Real steps in which a random tangent turns into the direction that grows most."""
AT_LEAST = 30
"""Real steps after the burn-in without which nothing is said."""


@dataclass(frozen=True, kw_only=True)
class Lyapunov:
    """The top Lyapunov exponent of the driven state (h, c) along the probe."""

    top: float
    """λ₁: mean logarithm of a tangent's growth in one step, the input held fixed. Below 0 the
    layer forgets its past, above it is chaotic. The mean over samples of each one's mean."""
    standard_error: float
    """Of `top`: between samples; with a single one between √n blocks of its n steps."""
    asymptotic_span: float | None
    """1 + ln(1/α) / |λ₁| timesteps, the span that a long sequence tends to; None where λ₁ is
    not below 0."""
    samples: int
    """How many samples were long enough."""


def measure(run: LayerRun, options: Options) -> Lyapunov | Skipped:
    """λ₁ of one layer's run; skipped where every sample is too short."""
    problem = broken_states(run)
    if problem is not None:
        return problem
    if run.tangent_log_growth is None:
        return Skipped(reason="no tangent was sent along")
    counted = run.real & (run.real.cumsum(axis=1) > BURN_IN)
    enough = counted.sum(axis=1) >= AT_LEAST
    if not enough.any():
        return Skipped(reason=f"no sample has {BURN_IN + AT_LEAST} timesteps, burn-in included")
    samples = [run.tangent_log_growth[k, counted[k]] for k in np.flatnonzero(enough)]
    means = np.array([own.mean() for own in samples])
    if np.isneginf(means).any():
        return Skipped(reason="a small difference of the state dies out altogether (λ₁ = -∞)")
    if not np.isfinite(means).all():
        return Skipped(reason="the growth of a small difference is not finite")
    top = float(means.mean())
    return Lyapunov(
        top=top,
        standard_error=_standard_error(means if len(means) > 1 else _block_means(samples[0])),
        asymptotic_span=float(1 - np.log(options.alpha) / -top) if top < 0 else None,
        samples=len(means),
    )


def _block_means(series: Array) -> Array:
    """Means of about √n blocks of √n successive steps, long enough to be nearly independent."""
    return np.array([block.mean() for block in np.array_split(series, isqrt(len(series)))])


def _standard_error(means: Array) -> float:
    return float(means.std(ddof=1) / len(means) ** 0.5)
