"""Steps of advice that several rules give, with values for the layer at hand."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rnndiag import decays
from rnndiag.records import Advice, LayerReport, LayerSettings, ProbeReport, Report, Settings
from rnndiag.rules._biases import smaller
from rnndiag.rules._decay_advice import bound_instead, more_decay
from rnndiag.rules._surroundings import normalizations
from rnndiag.rules.base import step
from rnndiag.snippets.base import Snippets

if TYPE_CHECKING:
    from rnndiag.measurements.preactivation_budget import PreactivationBudget
    from rnndiag.measurements.weight_norms import WeightNorms

_USUAL_RATE = 1e-3
"""Of Adam in both frameworks, for where the learning rate is not known."""
_SHORTEST_CHRONO = 3
"""ln U(1, lag - 1) has no room for a lag below it."""


def percent(share: float) -> str:
    """A share in three digits, so that one just above its cut does not look equal to it."""
    return f"{100 * share:.3g}%"


def clip(settings: Settings, snippets: Snippets) -> Advice:
    """Clip gradients, or clip them harder where it is known that something clips them."""
    known, source = settings.clipping, "B: tuning: unstable"
    if known is not None and known.value:
        return step(f"gradients are clipped already ({known.value}): halve that", source)
    return step("clip gradients at a norm of 1", source, snippets.clipping(1.0))


def lower_rate(settings: Settings, snippets: Snippets) -> Advice:
    """About a third of the learning rate: the document says lower, and no value."""
    known = settings.learning_rate.value if settings.learning_rate else 0.0
    rate = _third(known or _USUAL_RATE)
    if known:
        text = f"lower the learning rate from {known:g} to {rate:g}"
    else:
        text = f"lower the learning rate to a third: {rate:g} if it was {_USUAL_RATE:g}"
    return step(text, "B: tuning: unstable", snippets.learning_rate(rate))


def _third(rate: float) -> float:
    return float(f"{rate / 3:.1g}")


def start_with_memory(layer: LayerReport, lag: int, snippets: Snippets) -> Iterator[Advice]:
    """A layer that, before any training, keeps what happened up to `lag` steps before."""
    lag = max(lag, _SHORTEST_CHRONO)
    chrono = snippets.chrono(lag)
    if chrono:
        yield step(
            f"initialise the biases that keep the state for memories of up to {lag} steps, "
            f"ln U(1, {lag - 1}): 0 to {math.log(lag - 1):.1f}; train again",
            "Tallec & Ollivier 2018",
            chrono,
        )
        return
    if "sigmoid" in activation_of(layer):
        yield step(
            "tanh in the place of sigmoid, whose slope is never above 1/4",
            "Glorot & Bengio 2010",
            snippets.activation("tanh"),
        )
    if not starts_orthogonal(layer):
        yield step(
            "initialise the recurrent kernel as an orthogonal matrix, and train again",
            "Le, Jaitly & Hinton 2015",
            snippets.orthogonal(),
        )


def stretch_memory(
    layer: LayerReport,
    report: Report,
    norms: WeightNorms | None,
    own: LayerSettings,
    snippets: Snippets,
) -> Iterator[Advice]:
    """What makes gradients reach further, once the start is right.

    Rebuilding comes after what is cheaper, and decay of what has no flat ends comes last of all.
    """
    decay = [] if norms is None else [_linearizing(layer, norms, own, snippets)]
    rectified = "relu" in activation_of(layer)
    if not rectified:
        yield from decay
    if not normalizations(report):
        yield step(
            "normalize around the layer, or within its recurrence; keep it if validation improves",
            "A: what to do 11",
            snippets.layer_normalization(),
        )
    yield step(
        "add the layer's input to its output, or try independently recurrent units (IndRNN)",
        "A: what to do 8",
        snippets.residual(),
    )
    if rectified:
        yield from decay


def _linearizing(
    layer: LayerReport, norms: WeightNorms, own: LayerSettings, snippets: Snippets
) -> Advice:
    """Decay of R alone, with what is to be expected of it by the activation."""
    fit = decays.next_decay(own, norms, raising=("recurrent",))
    if fit is None:
        return bound_instead(layer, norms, snippets)
    value = decays.written(fit.recurrent)
    text = f"more decay on the recurrent kernel: {value}"
    if not fit.raised:
        text = f"decay the recurrent kernel: {value}, then ten times that"
    if "relu" in activation_of(layer):
        expected, source = "relu leaves little to linearize: expect little", "A: weight decay 1"
    else:
        expected = "it costs expressive power, which a second layer gives back"
        source = "A: weight decay 2"
    snippet = snippets.decay(fit.kernel, fit.recurrent, fit.bias)
    return step(f"{text} ({fit.reason}); {expected}", source, snippet)


def activation_of(layer: LayerReport) -> str:
    """The output's activation, as Keras or PyTorch names it; empty where the file does not."""
    own = layer.arguments
    return str(own.get("activation", own.get("nonlinearity", ""))).lower()


def starts_orthogonal(layer: LayerReport) -> bool:
    """Whether the layer is known to start with an orthogonal recurrent kernel, as Keras's do."""
    return "orthogonal" in str(layer.arguments.get("recurrent_initializer")).lower()


def less_saturation(
    layer: LayerReport,
    report: Report,
    norms: WeightNorms | None,
    budget: PreactivationBudget | None,
    own: LayerSettings,
    snippets: Snippets,
    *,
    biases: bool = False,
) -> list[Advice]:
    """What brings activations back from the ends of their range.

    First what acts on that part of the pre-activations which is largest. `biases` adds what keeps
    those small.
    """
    shares = (budget.kernel, budget.recurrent, budget.bias) if budget else (0.0, 1.0, 0.0)
    kernel, recurrent, bias = shares
    steps: list[tuple[float, Advice]] = []
    if norms is not None:
        steps.append((recurrent, more_decay(layer, norms, own, snippets)))
    raw = _is_raw(layer, report)
    if raw:
        steps.append((kernel, _scale(report.probe, snippets)))
    if not normalizations(report):
        # Where layers before scale the features, or the data reaches no further than scaled data
        # would, as one-hot symbols do, it is what acts on the inputs.
        steps.append((-1.0 if raw else kernel, _normalize(snippets)))
    if norms is not None and norms.bias and biases:
        steps += [(bias, advice) for advice in smaller(norms, own, snippets)]
    return [advice for _, advice in sorted(steps, key=lambda item: -item[0])]


def _is_raw(layer: LayerReport, report: Report) -> bool:
    """Whether the data's own numbers come in, and may reach far, as far as the report tells."""
    embeds = any(own.kind == "Embedding" for own in report.network)
    first = layer.index == 0 and layer.name == report.layers[0].name
    largest = _reach(report.probe)
    return first and not embeds and (largest is None or largest > 1)


def _normalize(snippets: Snippets) -> Advice:
    return step(
        "normalize around the layer; keep it if validation improves",
        "B: normalization",
        snippets.layer_normalization(),
    )


def _reach(probe: ProbeReport) -> float | None:
    """The largest |x| of a real probe."""
    return max((most for scale in probe.inputs for most in scale.largest), default=None)


def _scale(probe: ProbeReport, snippets: Snippets) -> Advice:
    largest = _reach(probe)
    reached = "" if largest is None else f" (they reach {largest:.3g} in the probe)"
    return step(
        f"scale the inputs{reached} to mean 0 and variance 1, each feature by itself",
        "B: normalization",
        snippets.scaled_inputs(),
    )
