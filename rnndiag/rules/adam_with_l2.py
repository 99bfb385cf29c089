"""Weight decay as an L2 penalty, under an optimizer that rescales gradients.

What it means
    The layer's weights are decayed by a penalty in the loss (or by what adds λ·w to the gradient,
    as PyTorch's Adam does), and the optimizer is adaptive: it divides every gradient by its own
    recent size, the penalty's part of it too.

Why it matters
    Weights with large gradients, which need decay most, get the least of it that way. How much
    there is depends on the learning rate as well, so that the two cannot be tuned apart. Decay
    that is kept out of the gradient (AdamW) does neither, and generalized better in the paper.

What to do
    1. AdamW, or Nadam with decoupled decay in the place of Nadam, and no L2 penalty beside it:
    the two would add up.
    2. λ = λ_norm · √(1 / updates of the whole run) as a start, with λ_norm of 0.025.
    3. Keras and PyTorch multiply λ by the learning rate, and the paper does not: divide it by
    the learning rate if the norms do not move.

ELI5
    Everybody in the choir is told to sing a bit more softly, and then a machine makes all voices
    equally loud again. So nothing was gained. Turn down the loudspeakers instead: that comes
    after the machine.

Sources
    - A: bonus
    - A: what to do 13
    - B: example 1
    - Loshchilov & Hutter 2019, Decoupled weight decay regularization
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from rnndiag import decays
from rnndiag.records import Advice, LayerSettings, Settings, Skipped
from rnndiag.rules.base import Cut, Fired, Rule, Thresholds, step, worse
from rnndiag.snippets.base import Snippets

RULE = Rule(code="RNN405", severity="note", rests_on="facts")
_ADAPTIVE = {
    *("Adadelta", "Adafactor", "Adagrad", "Adam", "Adamax", "AdamW", "Lamb", "Nadam", "NadamW"),
    *("RAdam", "RMSprop", "SparseAdam"),
}
"""Optimizers that scale each weight's gradient by its past size."""
_NESTEROV = ("Nadam", "NadamW")


class Cuts(Thresholds):
    """What the decay to start with is made from."""

    normalized = Cut(
        0.025,
        "λ_norm",
        "Loshchilov & Hutter 2019: .025 in the commands beside their code, .05 for CIFAR-10",
    )


def check(
    own: LayerSettings, settings: Settings, snippets: Snippets, cuts: Cuts
) -> Fired | Skipped | None:
    """An L2 penalty on the layer, and an adaptive optimizer."""
    optimizer, penalty = settings.optimizer, own.penalty
    if optimizer is None or penalty is None:
        what = "the optimizer" if optimizer is None else "whether decay is a penalty"
        return Skipped(reason=f"the file does not tell {what}: give --context FILE.toml")
    # A file may leave a choice: "Adam or AdamW".
    if not penalty.value or not _ADAPTIVE.issuperset(optimizer.value.split(" or ")):
        return None
    named = {
        "kernel": own.kernel_decay,
        "recurrent": own.recurrent_decay,
        "bias": own.bias_decay,
    }
    found = {name: decay.value for name, decay in named.items() if decay and decay.value}
    told = ", ".join(f"{name} {decays.written(value)}" for name, value in found.items())
    return Fired(
        message=(
            f"{optimizer.value} rescales the L2 penalty along with the gradient"
            + (f" ({told})" if told else "")
        ),
        evidence={
            **{f"{name}_decay": value for name, value in found.items()},
            "optimizer": optimizer.value,
            "source": penalty.source,
        },
        measured=worse("decay", max(found.values())) if found else None,
        advice=tuple(_advice(optimizer.value, settings, snippets, cuts)),
    )


def _advice(known: str, settings: Settings, snippets: Snippets, cuts: Cuts) -> Iterator[Advice]:
    wanted = "NadamW" if known in _NESTEROV else "AdamW"
    steps, rate = settings.steps, settings.learning_rate
    start = _two_digits(cuts.normalized / math.sqrt(steps.value)) if steps else decays.SMALLEST
    told = f" = {steps.value}" if steps else ", which the file does not tell"
    yield step(
        f"{wanted} with a decoupled decay of {decays.written(start)}, and no L2 penalty (a start "
        f"is {cuts.normalized:g} · √(1 / steps), steps being all updates{told})",
        "A: bonus",
        snippets.optimizer(wanted, None, start),
    )
    if steps and rate and rate.value > 0:
        whole = _two_digits(start / rate.value)
        yield step(
            f"if the norms do not move, up to {decays.written(whole)}: Keras and PyTorch multiply "
            f"decay by the learning rate ({decays.written(rate.value)}), the paper does not",
            "Loshchilov & Hutter 2019",
            snippets.optimizer(wanted, None, whole),
        )


def _two_digits(value: float) -> float:
    return float(f"{value:.2g}")
