"""How far the optimizer's last step moved the weights, for their size."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rnndiag.measurements._steps import broken_weights
from rnndiag.records import LayerRun, Options, ParameterUpdate, Skipped


@dataclass(frozen=True, kw_only=True)
class ArrayStep:
    """The last step of one array."""

    ratio: float | None
    """rms(update) / rms(weight), about 1e-3 as a rule; None where the optimizer's buffers do
    not determine the update, or the array is 0."""
    gradient: float | None
    """Root mean square of the optimizer's running mean of the training gradient; None where it
    keeps none."""


@dataclass(frozen=True, kw_only=True)
class TrainingStep:
    """The last step of the kernel K, the recurrent kernel R and the biases b.

    The update is lr·m̂/(√v̂ + ε) for Adam and AdamW, lr times the momentum buffer for SGD and
    RMSprop, at the learning rate that the file holds, without decoupled weight decay. Two biases
    that are summed count as one array of twice the length. None where there is no such array, or
    the optimizer does not have it.
    """

    kernel: ArrayStep | None
    recurrent: ArrayStep | None
    bias: ArrayStep | None


def measure(run: LayerRun, options: Options) -> TrainingStep | Skipped:
    """The last step of each array; skipped where the file does not tell it."""
    problem = broken_weights(run)
    if problem is not None:
        return problem
    if not run.updates:
        return Skipped(reason=run.why_no_updates)
    if not all(map(_is_finite, run.updates.values())):
        return Skipped(reason="the optimizer's buffers are not finite")
    return TrainingStep(
        kernel=_step(run.updates.get("kernel")),
        recurrent=_step(run.updates.get("recurrent")),
        bias=_step(run.updates.get("bias")),
    )


def _step(update: ParameterUpdate | None) -> ArrayStep | None:
    if update is None:
        return None
    moved, weight = update.update_rms, update.weight_rms
    ratio = None if moved is None or weight == 0 else moved / weight
    return ArrayStep(ratio=ratio, gradient=update.gradient_rms)


def _is_finite(update: ParameterUpdate) -> bool:
    sizes = (update.weight_rms, update.update_rms, update.gradient_rms)
    return all(size is None or math.isfinite(size) for size in sizes)
