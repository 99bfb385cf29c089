"""How long each unit keeps its state by the gate that keeps it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rnndiag.measurements._gates import keeping
from rnndiag.measurements._steps import broken_states
from rnndiag.records import Array, LayerRun, Options, Skipped

_ENDLESS = 1e300
"""Stands in for ∞, which percentiles cannot interpolate."""


@dataclass(frozen=True, kw_only=True)
class Timescale:
    """Percentiles over the units of τ = -1 / ln(mean f), in timesteps.

    f is the LSTM's forget gate or the GRU's update gate, its mean taken over all unmasked
    (sample, timestep) pairs: the mean of ln f does not exist where a hard sigmoid is 0.
    τ is 0 where f is always 0 and ∞ (null in JSON) where it is always 1.
    """

    p10: float
    """10th percentile."""
    p50: float
    """Median."""
    p90: float
    """90th percentile."""


def measure(run: LayerRun, options: Options) -> Timescale | Skipped:
    """The timescales of one layer's units; skipped for a cell without a gate that keeps."""
    gate = keeping(run.weights.gates)
    if gate is None:
        return Skipped(reason=f"a {run.kind} has no gate that keeps the state")
    problem = broken_states(run)
    if problem is not None:
        return problem
    tau = timescales(run.activity.gates[gate].mean)
    p10, p50, p90 = np.percentile(tau, (10, 50, 90))
    return Timescale(p10=_or_endless(p10), p50=_or_endless(p50), p90=_or_endless(p90))


def timescales(mean: Array) -> Array:
    """(H,) each unit's timescale by its gate's `mean` (H,); 1e300 stands for ∞."""
    between = (mean > 0) & (mean < 1)
    tau = -1 / np.log(np.where(between, mean, 0.5))
    return np.where(between, tau, np.where(mean <= 0, 0.0, _ENDLESS))


def _or_endless(tau: float) -> float:
    # Any share of the stand-in that interpolation leaves is beyond what f < 1 can give.
    return float("inf") if tau > _ENDLESS * 1e-16 else float(tau)
