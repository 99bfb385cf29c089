"""How far back in time the gradient of one step reaches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rnndiag.measurements._steps import broken_states
from rnndiag.profiles import GradientProfile, describe, log_profile, reach
from rnndiag.records import Array, LayerRun, Options, Skipped


@dataclass(frozen=True, kw_only=True)
class GradientSpan(GradientProfile):
    """The profile of a pulse on the layer's last real step, and what follows from it."""

    by_seed: tuple[int | None, ...]
    """The span that each seed's samples give alone; None where nothing of the pulse arrives."""
    cotangent: Literal["output", "isotropic"]
    """Where the pulse came from: the network's output, or random unit vectors on h_T."""
    why_isotropic: str | None
    """Why it did not come from the network's output; None where it did."""
    samples: int
    """How many samples the pulse arrives in: the profile rests on them."""


def measure(run: LayerRun, options: Options) -> GradientSpan | Skipped:
    """The span of one layer's run; skipped where no gradient is there to follow."""
    problem = broken_states(run)
    if problem is not None:
        return problem
    arrives: Array = (run.pulse_log_norm != -np.inf).any(axis=(0, 2))
    if run.real.any() and not arrives.any():
        return Skipped(reason="the gradient is zero at the last step")
    real = run.real & arrives[:, None]
    profile = describe(log_profile(run.pulse_log_norm, real), options.alpha)
    if isinstance(profile, Skipped):
        return profile
    return GradientSpan(
        **vars(profile),
        by_seed=_by_seed(run, real, options.alpha),
        cotangent="isotropic" if run.why_isotropic else "output",
        why_isotropic=run.why_isotropic,
        samples=int(real.any(axis=1).sum()),
    )


def _by_seed(run: LayerRun, real: Array, alpha: float) -> tuple[int | None, ...]:
    """The spans of the probes that are stacked along the batch."""
    logs = np.array_split(run.pulse_log_norm, run.seeds, axis=1)
    parts = np.array_split(real, run.seeds, axis=0)
    spans = [reach(log_profile(*own), alpha) for own in zip(logs, parts, strict=True)]
    return tuple(None if isinstance(span, Skipped) else span for span in spans)
