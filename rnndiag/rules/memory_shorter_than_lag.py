"""The layer's memory ends before the lag that the task asks for.

What it means
    You said how far back the task has to remember (--lag). The gradient, or the state that the
    cell keeps from step to step, does not reach that far.

Why it matters
    What stands further back than the gradient reaches had no part in training: the network
    cannot have learned to use it. More epochs do not change that.

What to do
    1. Start again with memories as long as the lag: biases of the gate that keeps the state, drawn
    for it (chrono initialisation). Where there is no such gate: tanh in the place of sigmoid, and
    an orthogonal recurrent kernel.
    2. With more than a thousand timesteps put a strided convolution in front: the lag becomes
    shorter by the stride.
    3. Decay the recurrent kernel, which keeps saturating activations where gradients pass; with
    relu expect less of it, and try it last. A second layer gives back the expressive power that
    this costs. Decay that is there already is raised, up to 1e-2; from there on bound the weights.
    4. Normalize around the layer, or within its recurrence (recurrent batch normalization); keep
    it if it helps. Where the network normalizes already, this is left out.
    5. Residual connections, or independently recurrent units (IndRNN).

ELI5
    Your teacher asks what was for lunch ten days ago, but your diary only has one page and you
    wipe it clean every night. You can look at the page as hard as you like. You need a thicker
    diary, or you only write down every tenth day.

Sources
    - A: weight decay 1
    - A: weight decay 2
    - A: what to do 4
    - A: what to do 5
    - A: what to do 8
    - A: what to do 11
    - A: tip 2
    - A: weight constraints
    - Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward neural
      networks
    - Le, Jaitly & Hinton 2015, A simple way to initialize recurrent networks of rectified linear
      units
    - Tallec & Ollivier 2018, Can recurrent neural networks warp time?
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rnndiag.records import (
    Advice,
    Confidence,
    LayerReport,
    LayerSettings,
    Measured,
    Report,
    Severity,
    Skipped,
)
from rnndiag.rules._advice import start_with_memory, stretch_memory
from rnndiag.rules._doubts import by_pulse, seeds_differ
from rnndiag.rules.base import Cut, Fired, Lag, Rule, Thresholds, short, step
from rnndiag.snippets.base import Snippets

if TYPE_CHECKING:
    from rnndiag.measurements.gradient_span import GradientSpan
    from rnndiag.measurements.lyapunov import Lyapunov
    from rnndiag.measurements.timescale import Timescale
    from rnndiag.measurements.weight_norms import WeightNorms

RULE = Rule(code="RNN103", severity="warning", rests_on="memory")


class Cuts(Thresholds):
    """How much of the lag the gates have to keep; the gradient has to reach all of it."""

    timescale = Cut(
        1, "of the lag", "own cut; spans run to ten times this in good models: low confidence"
    )
    long = Cut(1000, "timesteps", "A: tip 2")


def check(
    layer: LayerReport,
    report: Report,
    lag: Lag,
    span: GradientSpan,
    lyapunov: Lyapunov | None,
    timescale: Timescale | None,
    norms: WeightNorms | None,
    own: LayerSettings,
    snippets: Snippets,
    cuts: Cuts,
) -> Fired | Skipped | None:
    """Span, asymptotic span or timescale shorter than the lag."""
    asymptotic = lyapunov.asymptotic_span if lyapunov else None
    found = _short(lag, span, asymptotic, timescale, cuts)
    if found is None:
        unseen = span.censored and span.span < lag
        reason = f"sequences of {span.timesteps} steps are shorter than the lag: --timesteps"
        return Skipped(reason=reason) if unseen else None
    message, measured = found
    confidence, doubt = _confidence(measured, span, lag)
    return Fired(
        message=message,
        severity=_severity(measured, span, lag),
        confidence=confidence,
        doubt=doubt,
        evidence={
            "lag": lag,
            "span": span.span,
            "censored": span.censored,
            "timesteps": span.timesteps,
            "asymptotic_span": asymptotic,
            "timescale_p90": timescale.p90 if timescale else None,
        },
        measured=measured,
        advice=(
            *start_with_memory(layer, lag, snippets),
            *_shorter_sequences(lag, span, snippets, cuts),
            *stretch_memory(layer, report, norms, own, snippets),
        ),
    )


def _short(
    lag: int,
    span: GradientSpan,
    asymptotic: float | None,
    timescale: Timescale | None,
    cuts: Cuts,
) -> tuple[str, Measured] | None:
    """The first sign, the surest first, that falls short."""
    if not span.censored and span.span < lag:
        return (
            f"the gradient reaches {span.span} of {span.timesteps} steps back, "
            f"fewer than the lag of {lag}"
        ), short("span", span.span)
    if asymptotic is not None and asymptotic < lag:
        return (
            f"on long sequences the gradient would reach {asymptotic:.3g} steps back, "
            f"fewer than the lag of {lag}"
        ), short("asymptotic_span", asymptotic)
    if timescale is not None and timescale.p90 < lag * cuts.timescale:
        return (
            f"nine of ten units keep their state for {timescale.p90:.3g} steps or less, "
            f"fewer than the lag of {lag}"
        ), short("timescale_p90", timescale.p90)
    return None


def _severity(measured: Measured, span: GradientSpan, lag: int) -> Severity:
    """A note where only the gates speak, and the gradient was seen to reach the lag.

    Good published GRUs span ten times the timescale of their gates, and a healthy network that
    adds numbers 50 steps apart keeps its state for 9: the gradient is the better witness.
    """
    gates_alone = measured.name == "timescale_p90" and span.span >= lag
    return "note" if gates_alone else "warning"


def _confidence(measured: Measured, span: GradientSpan, lag: int) -> tuple[Confidence, str | None]:
    """Low where the gradient was seen to reach the lag, by all samples or by those of a seed."""
    if span.span >= lag:
        return "low", f"the gradient itself reaches {span.span} steps back"
    if max((own for own in span.by_seed if own is not None), default=0) >= lag:
        return "low", seeds_differ(span)
    if measured.name != "span":
        return "medium", f"no gradient was followed for as long as {lag} steps"
    return by_pulse(span)


def _shorter_sequences(
    lag: int, span: GradientSpan, snippets: Snippets, cuts: Cuts
) -> Iterator[Advice]:
    if span.timesteps > cuts.long:
        stride = max(2, math.ceil(span.timesteps / cuts.long))
        yield step(
            f"a convolution with a stride of {stride} in front: of {span.timesteps} steps "
            f"{math.ceil(span.timesteps / stride)} are left, of the lag "
            f"{math.ceil(lag / stride)}",
            "A: tip 2",
            snippets.strided_convolution(stride),
        )
