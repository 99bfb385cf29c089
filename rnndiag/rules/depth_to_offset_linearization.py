"""One recurrent layer alone stands under strong recurrent weight decay.

What it means
    Decay on the recurrent kernel keeps tanh and sigmoid near the middle of their range, where
    they are almost straight lines. There is one recurrent layer, and its decay is at the upper
    end of what the documents try. Decoupled decay (AdamW) pulls less at the same value, as
    frameworks multiply it by the learning rate: it counts from 0.1 on.

Why it matters
    Gradients travel better that way. But what is almost linear can express little: a network
    with a single such layer may be too simple for its task. More layers give back what each of
    them lost.

What to do
    1. Stack a second recurrent layer on the first, under the same decay, and compare validation.
    2. Where that is too much, less decay on the recurrent kernel alone.

ELI5
    A stiff board makes a fast slide, and a soft one bends until you get stuck. But one stiff
    board only goes straight. Join two of them, and the slide goes round a corner and is still
    fast.

Sources
    - A: weight decay 2
    - A: what to do 1
    - A: depth vs. width
    - A: learning 3
"""

from __future__ import annotations

from collections.abc import Iterator

from rnndiag import decays
from rnndiag.records import Advice, LayerReport, LayerSettings, Report, Settings, Skipped
from rnndiag.rules._advice import activation_of
from rnndiag.rules.base import Cut, Fired, Rule, Thresholds, step, worse
from rnndiag.snippets.base import Snippets

RULE = Rule(code="RNN505", severity="note", rests_on="facts")
_FLAT_ENDS = ("tanh", "sigmoid", "softsign")


class Cuts(Thresholds):
    """How strong is strong."""

    decay = Cut(1e-3, "λ", "own cut: the larger value of A: what to do 1")
    decoupled = Cut(0.1, "λ", "own cut: ten times what PyTorch's AdamW has by default")


def check(
    report: Report, settings: Settings, snippets: Snippets, cuts: Cuts
) -> Fired | Skipped | None:
    """A single layer with a saturating activation, and a decay no lower than the cut."""
    layer = _only(report)
    if layer is None or not _saturates(layer):
        return None
    own = settings.layers.get(layer.id, LayerSettings())
    decay = own.recurrent_decay
    if decay is None:
        return Skipped(reason="the file does not tell of weight decay: give --context FILE.toml")
    decoupled = own.penalty is not None and not own.penalty.value
    cut = cuts.decoupled if decoupled else cuts.decay
    if decay.value < cut:
        return None
    return Fired(
        message=(
            f"{layer.id} is the only recurrent layer, under a recurrent decay of "
            f"{decays.written(decay.value)}, no less than {decays.written(cut)}"
        ),
        confidence="medium",
        doubt="an L2 penalty and decoupled decay of the same λ do not pull equally",
        evidence={
            "recurrent_decay": decay.value,
            "source": decay.source,
            "decoupled": decoupled,
        },
        measured=worse("recurrent_decay", decay.value),
        advice=tuple(_advice(decay.value, own, snippets)),
    )


def _only(report: Report) -> LayerReport | None:
    """The one recurrent layer, both of its directions and all its calls taken together."""
    layers = {layer.id: layer for layer in report.layers}
    only = next(iter(layers.values())) if len(layers) == 1 else None
    return only if only is not None and only.analysed else None


def _saturates(layer: LayerReport) -> bool:
    """Both frameworks take tanh where nothing else is told."""
    activation = activation_of(layer)
    return not activation or any(name in activation for name in _FLAT_ENDS)


def _advice(decay: float, own: LayerSettings, snippets: Snippets) -> Iterator[Advice]:
    yield step(
        "a second recurrent layer on top of it, under the same decay",
        "A: weight decay 2",
        snippets.stacked(),
    )
    less = decay / 10
    known = own.kernel_decay is not None and own.bias_decay is not None
    kernel, bias = (
        setting.value if setting else 0.0 for setting in (own.kernel_decay, own.bias_decay)
    )
    # A snippet sets all three: it would have to guess where one of them is not known.
    snippet = snippets.decay(kernel, less, min(bias, less)) if known else ""
    yield step(
        f"or a tenth of the decay on the recurrent kernel: {decays.written(less)}",
        "A: what to do 1",
        snippet,
    )
