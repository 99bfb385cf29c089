"""How far back in time the gradient of one step reaches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rnndiag.measurements._profile import GradientProfile, describe, log_profile
from rnndiag.measurements._steps import broken_states
from rnndiag.records import LayerRun, Options, Skipped


@dataclass(frozen=True, kw_only=True)
class GradientSpan(GradientProfile):
    """The profile of a pulse on the layer's last real step, and what follows from it."""

    by_seed: tuple[int | None, ...]
    """The span that each seed's samples give alone; None where nothing of the pulse arrives."""
    cotangent: str
    """Where the pulse came from: the network's ``output``, or ``isotropic`` vectors on h_T."""


def measure(run: LayerRun, options: Options) -> GradientSpan | Skipped:
    """The span of one layer's run; skipped where no gradient is there to follow."""
    problem = broken_states(run)
    if problem is not None:
        return problem
    profile = describe(log_profile(run.pulse_log_norm, run.real), options.alpha)
    if isinstance(profile, Skipped):
        return profile
    by_seed = _by_seed(run, options.alpha)
    return GradientSpan(**vars(profile), by_seed=by_seed, cotangent=run.pulse)


def _by_seed(run: LayerRun, alpha: float) -> tuple[int | None, ...]:
    """The spans of the probes that are stacked along the batch."""
    logs = np.array_split(run.pulse_log_norm, run.seeds, axis=1)
    real = np.array_split(run.real, run.seeds, axis=0)
    profiles = [describe(log_profile(*own), alpha) for own in zip(logs, real, strict=True)]
    return tuple(None if isinstance(own, Skipped) else own.span for own in profiles)
