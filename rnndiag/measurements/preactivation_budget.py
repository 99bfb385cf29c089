"""What the gates listen to: the input, the state before, or their own biases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rnndiag.measurements._gates import budgeted
from rnndiag.measurements._steps import broken_states
from rnndiag.records import LayerRun, Options, Skipped


@dataclass(frozen=True, kw_only=True)
class PreactivationBudget:
    """RMS of K·x, R·h and b, alone and as shares of their sum, over units, steps and gates.

    An LSTM's forget and input gate are left out and so is a GRU's update gate, which is both
    in one: their biases carry initialisations. With ``reset_after``, r ⊙ (R h) is R's part and
    r ⊙ b_rec the bias's. With one-hot inputs K and b can stand in for each other, so judge a
    bias by its RMS too.
    """

    kernel: float
    """Share of K·x."""
    recurrent: float
    """Share of R·h."""
    bias: float
    """Share of b; the three shares sum to 1."""
    rms_kernel: float
    """RMS of K·x, in pre-activation units."""
    rms_recurrent: float
    """RMS of R·h, in pre-activation units."""
    rms_bias: float
    """RMS of b, in pre-activation units."""
    gates: tuple[str, ...]
    """The gates that were counted."""


def measure(run: LayerRun, options: Options) -> PreactivationBudget | Skipped:
    """The budget of one layer's pre-activations; skipped where they are all 0."""
    problem = broken_states(run)
    if problem is not None:
        return problem
    gates = budgeted(run.weights.gates)
    seen = [run.activity.preactivations[gate] for gate in gates]
    kernel, recurrent, bias = (
        float(np.sqrt(np.mean([getattr(own, part) for own in seen])))
        for part in ("kernel", "recurrent", "bias")
    )
    total = kernel + recurrent + bias
    if not np.isfinite(total):
        return Skipped(reason="the pre-activations are not finite")
    if total == 0:
        return Skipped(reason="all pre-activations are zero")
    return PreactivationBudget(
        kernel=kernel / total,
        recurrent=recurrent / total,
        bias=bias / total,
        rms_kernel=kernel,
        rms_recurrent=recurrent,
        rms_bias=bias,
        gates=gates,
    )
