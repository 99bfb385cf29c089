"""The gradient of a step dies out before it has gone far back.

What it means
    The gradient that arrives at the layer's last step is followed back through its recurrence.
    Within a few steps less than a hundredth of it is left: whatever the network saw earlier
    had no part in what it learned, however long its sequences are.

Why it matters
    A recurrent layer that cannot carry a gradient cannot learn to remember. It works like a
    feed-forward layer with a short window, at a recurrent layer's price. For a task with short
    memories that is no fault; compare the span with what the task asks for (--lag).

What to do
    1. Start again with memories that last: forget biases set for the lag that is needed (chrono
    initialisation). Where there is no forget gate: tanh in the place of sigmoid, and an orthogonal
    recurrent kernel.
    2. Decay the recurrent kernel. It keeps saturating activations in their linear part, where
    gradients pass; that costs expressive power, which a second layer gives back. With relu there
    is little to linearize, so expect less of it and try it last. Decay that is there already is
    raised, up to 1e-2; from there on bound the weights.
    3. Normalize around the layer, or within its recurrence (recurrent batch normalization); keep
    it if it helps. Where the network normalizes already, this is left out.
    4. Residual connections, or independently recurrent units (IndRNN), change most and come last.

ELI5
    You whisper a message down a row of friends, and each one passes it on a little more quietly.
    After a few friends nobody hears anything. It does not help that the row is long: the far end
    might as well not be there. So make every friend speak up a bit, or give them a telephone.

Sources
    - A: weight decay 1
    - A: weight decay 2
    - A: what to do 4
    - A: what to do 5
    - A: what to do 8
    - A: what to do 11
    - A: update
    - A: introspection code
    - A: weight constraints
    - Bengio, Simard & Frasconi 1994, Learning long-term dependencies with gradient descent is
      difficult
    - Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward neural
      networks
    - Le, Jaitly & Hinton 2015, A simple way to initialize recurrent networks of rectified linear
      units
    - Tallec & Ollivier 2018, Can recurrent neural networks warp time?
    - Li et al. 2018, Independently recurrent neural network (IndRNN)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rnndiag.records import Confidence, LayerReport, LayerSettings, Measured, Report, Severity
from rnndiag.rules._advice import start_with_memory, stretch_memory
from rnndiag.rules._doubts import by_pulse, seeds_differ
from rnndiag.rules.base import Cut, Fired, Lag, Rule, Thresholds, short
from rnndiag.snippets.base import Snippets

if TYPE_CHECKING:
    from rnndiag.measurements.gradient_span import GradientSpan
    from rnndiag.measurements.lyapunov import Lyapunov
    from rnndiag.measurements.timescale import Timescale
    from rnndiag.measurements.weight_norms import WeightNorms

RULE = Rule(code="RNN101", severity="warning", rests_on="memory")
_OWN = "own cut: 100 layer-directions of 35 good published models, 18-164 in the middle 80 %"


class Cuts(Thresholds):
    """How short is too short."""

    warning = Cut(10, "timesteps", _OWN)
    error = Cut(4, "timesteps", _OWN)
    timesteps = Cut(50, "timesteps", "own cut: shorter sequences have no evidence behind a cut")
    timescale = Cut(1, "timesteps", "own cut: 2-23 (90th percentile) in good published LSTMs")
    share = Cut(0.05, "of the sequence", "own cut: a note, as many tasks need no more")


@dataclass(frozen=True, kw_only=True)
class _Sign:
    """One sign that the memory is short."""

    text: str
    measured: Measured
    severity: Severity = "warning"
    capped: str | None = None


def check(
    layer: LayerReport,
    report: Report,
    span: GradientSpan,
    lyapunov: Lyapunov | None,
    timescale: Timescale | None,
    norms: WeightNorms | None,
    own: LayerSettings,
    lag: Lag | None,
    snippets: Snippets,
    cuts: Cuts,
) -> Fired | None:
    """Span, asymptotic span or timescale under their cuts."""
    asymptotic = lyapunov.asymptotic_span if lyapunov else None
    found = _judge(span, asymptotic, timescale, cuts)
    if found is None and lag is None:
        # With a lag to compare with, RNN103 is more to the point.
        found = _short_share(span, cuts)
    if found is None:
        return None
    confidence, doubt = _confidence(found, span, cuts)
    return Fired(
        message=found.text,
        severity=found.severity,
        capped=found.capped,
        confidence=confidence,
        doubt=doubt,
        evidence={
            "span": span.span,
            "timesteps": span.timesteps,
            "alpha": span.alpha,
            "half_life": span.half_life,
            "asymptotic_span": asymptotic,
            "timescale_p90": timescale.p90 if timescale else None,
            "by_seed": list(span.by_seed),
        },
        measured=found.measured,
        advice=(
            *start_with_memory(layer, lag or span.timesteps, snippets),
            *stretch_memory(layer, report, norms, own, snippets),
        ),
    )


def _confidence(found: _Sign, span: GradientSpan, cuts: Cuts) -> tuple[Confidence, str | None]:
    """Lower where the pulse is no loss of the network's, lowest where seeds disagree."""
    if found.measured.name != "span":
        return "medium", f"the gradient itself reaches {span.span} steps back"
    known = [own for own in span.by_seed if own is not None]
    if span.span < cuts.warning <= max(known, default=0):
        return "low", seeds_differ(span)
    return by_pulse(span)


def _judge(
    span: GradientSpan, asymptotic: float | None, timescale: Timescale | None, cuts: Cuts
) -> _Sign | None:
    """The first sign of a short memory, the surest first."""
    if span.timesteps < cuts.timesteps:
        return _of_short_sequences(span, cuts)
    if not span.censored and span.span < cuts.warning:
        severity, cut = _severity(span.span, cuts)
        return _Sign(
            severity=severity,
            text=f"{_reach(span)}, fewer than {cut:g}",
            measured=short("span", span.span),
        )
    if asymptotic is not None and asymptotic < cuts.warning:
        text = (
            f"on long sequences the gradient would reach {asymptotic:.3g} steps back, "
            f"fewer than {cuts.warning:g}"
        )
        return _Sign(text=text, measured=short("asymptotic_span", asymptotic))
    if timescale is not None and timescale.p90 < cuts.timescale:
        text = (
            f"nine of ten units keep their state for {timescale.p90:.3g} timesteps or less, "
            f"under {cuts.timescale:g}"
        )
        return _Sign(text=text, measured=short("timescale_p90", timescale.p90))
    return None


def _severity(steps: float, cuts: Cuts) -> tuple[Severity, float]:
    """That of a span below the warning's cut, and the cut that it is below."""
    return ("error", cuts.error) if steps < cuts.error else ("warning", cuts.warning)


def _of_short_sequences(span: GradientSpan, cuts: Cuts) -> _Sign | None:
    """By a cut in proportion: there is no evidence for one, so it is a note."""
    scaled = cuts.warning * span.timesteps / cuts.timesteps
    if span.censored or span.span >= scaled:
        return None
    return _Sign(
        severity="note",
        text=f"{_reach(span)}, fewer than {scaled:.3g}",
        measured=short("span", span.span),
        capped=f"no more than a note on fewer than {cuts.timesteps:g} timesteps",
    )


def _short_share(span: GradientSpan, cuts: Cuts) -> _Sign | None:
    """Whether a long sequence goes unused for the most part."""
    if span.censored or span.span >= cuts.share * span.timesteps:
        return None
    return _Sign(
        severity="note",
        text=f"{_reach(span)}, under {cuts.share:.0%} of the sequence",
        measured=short("span", span.span),
    )


def _reach(span: GradientSpan) -> str:
    return f"the gradient reaches {span.span} of {span.timesteps} steps back"
