"""How the gradient of the real loss is spread over the timesteps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rnndiag.measurements._steps import broken_states
from rnndiag.profiles import GradientProfile, describe, log_profile
from rnndiag.records import LayerRun, Options, Skipped


@dataclass(frozen=True, kw_only=True)
class LossGradient(GradientProfile):
    """The profile of the loss's total gradient.

    A loss on many steps feeds each of them anew, so a flat profile is no proof of memory:
    that is what the pulse of `GradientSpan` is for.
    """

    log10_norm: float
    """log10 g_0: the gradient's mean norm at the last real step, in the loss's own units."""


def measure(run: LayerRun, options: Options) -> LossGradient | Skipped:
    """The profile of ‖(δ, γ)‖ of the loss; skipped where no loss was sent back."""
    if run.loss_log_norm is None:
        return Skipped(reason="no loss was sent back: give --loss, and --targets if it needs any")
    problem = broken_states(run)
    if problem is not None:
        return problem
    logs = log_profile(run.loss_log_norm[None], run.real)
    profile = describe(logs, options.alpha)
    if isinstance(profile, Skipped):
        return profile
    return LossGradient(**vars(profile), log10_norm=float(logs[0] / np.log(10)))
