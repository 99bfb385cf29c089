"""The gradient of a step grows on its way back in time.

What it means
    The gradient that arrives at the layer's last step is followed back through its recurrence,
    and somewhere on the way it is many times larger than where it began. Or, looked at in the
    other direction: a small change of the state does not fade but grows from step to step.

Why it matters
    What the first timesteps contribute to an update then drowns everything else, and one update
    can throw away what many have learned. The loss jumps, or becomes NaN. And a state in which
    every small difference grows is chaotic: it tells of noise as loudly as of the input.

What to do
    1. Clip gradients. That keeps updates small; the gradient goes on growing.
    2. Lower the learning rate.
    3. Bound the weights' norms if the learning rate has to stay high; if it is low, more weight
    decay does the same more gently. From a decay of 1e-2 on, bound them too.
    4. Where biases make up most of what goes into the units, decay or bound them too, no more
    than the kernels.
    5. Layer normalization, where the network does not normalize yet.

ELI5
    A microphone stands in front of its own loudspeaker. A whisper goes in, comes out a little
    louder, goes in again, and soon all you hear is howling. Covering your ears helps for a
    while, and that is clipping. Turning the volume down helps for good.

Sources
    - A: what to do 6
    - A: weight constraints
    - A: what to do 9
    - B: tuning: unstable
    - Pascanu, Mikolov & Bengio 2013, On the difficulty of training recurrent neural networks
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rnndiag import decays
from rnndiag.records import Advice, LayerReport, LayerSettings, Measured, Report, Settings
from rnndiag.rules._advice import clip, lower_rate
from rnndiag.rules._biases import smaller
from rnndiag.rules._cuts import ADAPTIVE_RATE, PLAIN_RATE, highest_rate
from rnndiag.rules._decay_advice import bound_instead, halved
from rnndiag.rules._doubts import by_pulse
from rnndiag.rules._surroundings import normalizations
from rnndiag.rules.base import Cut, Fired, Rule, Thresholds, by_cuts, step, worse
from rnndiag.snippets.base import Snippets

if TYPE_CHECKING:
    from rnndiag.measurements.gradient_span import GradientSpan
    from rnndiag.measurements.lyapunov import Lyapunov
    from rnndiag.measurements.preactivation_budget import PreactivationBudget
    from rnndiag.measurements.weight_norms import WeightNorms

RULE = Rule(code="RNN102", severity="warning", rests_on="memory")


class Cuts(Thresholds):
    """How much growth is too much."""

    warning = Cut(10, "times", "own cut: growth is 1 in good published models")
    error = Cut(100, "times", "own cut: growth is 1 in good published models")
    lyapunov = Cut(
        0.05, "per step", "own cut: λ₁ is -.15 to .04 in good published LSTMs", least=-math.inf
    )
    adaptive_rate = ADAPTIVE_RATE
    plain_rate = PLAIN_RATE
    bias_share = Cut(0.5, "of the pre-activations", "own cut: .01-.31 in good published LSTMs")


def check(
    layer: LayerReport,
    report: Report,
    span: GradientSpan,
    lyapunov: Lyapunov | None,
    budget: PreactivationBudget | None,
    norms: WeightNorms | None,
    settings: Settings,
    own: LayerSettings,
    snippets: Snippets,
    cuts: Cuts,
) -> Fired | None:
    """Growth of the gradient, or of a small change of the state, above its cut."""
    severity = by_cuts(span.growth, cuts.warning, cuts.error)
    found = _growing(span, cuts) if severity else _chaotic(lyapunov, cuts)
    if found is None:
        return None
    message, measured = found
    confidence, doubt = by_pulse(span) if severity else ("high", None)
    return Fired(
        message=message,
        severity=severity,
        confidence=confidence,
        doubt=doubt,
        evidence={
            "growth": span.growth,
            "timesteps": span.timesteps,
            "lyapunov": lyapunov.top if lyapunov else None,
            "standard_error": lyapunov.standard_error if lyapunov else None,
        },
        measured=measured,
        advice=(
            clip(settings, snippets),
            lower_rate(settings, snippets),
            *_smaller_weights(layer, norms, settings, own, snippets, cuts),
            *_smaller_biases(budget, norms, own, snippets, cuts),
            *_normalize(report, snippets),
        ),
    )


def _growing(span: GradientSpan, cuts: Cuts) -> tuple[str, Measured]:
    cut = cuts.error if span.growth > cuts.error else cuts.warning
    message = (
        f"the gradient grows {span.growth:.3g} times on its way back through "
        f"{span.timesteps} steps, more than {cut:g}"
    )
    # In powers of ten: of an exploding gradient the growth itself varies many times.
    return message, worse("log10_growth", math.log10(span.growth))


def _chaotic(lyapunov: Lyapunov | None, cuts: Cuts) -> tuple[str, Measured] | None:
    if lyapunov is None:
        return None
    # At least this, as far as the samples agree: two standard errors on the safe side.
    least = lyapunov.top - 2 * lyapunov.standard_error
    if least <= cuts.lyapunov:
        return None
    message = (
        f"a small change of the state grows from step to step: λ₁ is at least {least:.3f}, "
        f"more than {cuts.lyapunov:g}"
    )
    return message, worse("least_lyapunov", least)


# ---------------------------------------------------------------- advice


def _smaller_weights(
    layer: LayerReport,
    norms: WeightNorms | None,
    settings: Settings,
    own: LayerSettings,
    snippets: Snippets,
    cuts: Cuts,
) -> Iterator[Advice]:
    """A bound where the learning rate is high or not known, more decay where it is not."""
    if norms is None:
        return
    rate = settings.learning_rate
    high = rate and rate.value > highest_rate(settings, cuts.adaptive_rate, cuts.plain_rate)
    fit = decays.next_decay(own, norms, start=decays.LARGEST)
    if rate is None or high:
        when = f"at a learning rate of {rate.value:g}" if rate else "if the learning rate is high"
        source = "A: what to do 6"
        yield halved(layer, norms, snippets, source=source, lead=f"{when}, ", growing=True)
    elif fit is None:
        yield bound_instead(layer, norms, snippets, growing=True)
    if not high and fit is not None:
        yield _more_decay(fit, snippets)


def _more_decay(fit: decays.Decays, snippets: Snippets) -> Advice:
    return step(
        f"{'higher ' if fit.raised else ''}weight decay: {fit.values} ({fit.reason})",
        "A: what to do 6",
        snippets.decay(fit.kernel, fit.recurrent, fit.bias),
    )


def _normalize(report: Report, snippets: Snippets) -> Iterator[Advice]:
    if not normalizations(report):
        yield step("layer normalization", "B: tuning: unstable", snippets.layer_normalization())


def _smaller_biases(
    budget: PreactivationBudget | None,
    norms: WeightNorms | None,
    own: LayerSettings,
    snippets: Snippets,
    cuts: Cuts,
) -> Iterator[Advice]:
    if budget is None or budget.bias <= cuts.bias_share:
        return
    if norms is not None and norms.bias:
        yield from smaller(norms, own, snippets)
