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
    initialisation), or an orthogonal recurrent kernel where there is no forget gate.
    2. Decay the recurrent kernel. It keeps saturating activations in their linear part, where
    gradients pass; that costs expressive power, which a second layer gives back. With relu there
    is little to linearize, so expect less of it.
    3. Normalize: layer normalization, or recurrent batch normalization; keep it if it helps.
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
    - Bengio, Simard & Frasconi 1994, Learning long-term dependencies with gradient descent is
      difficult
    - Tallec & Ollivier 2018, Can recurrent neural networks warp time?
    - Li et al. 2018, Independently recurrent neural network (IndRNN)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rnndiag.records import Confidence, LayerReport, Severity
from rnndiag.rules._advice import start_with_memory, stretch_memory
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


def check(
    layer: LayerReport,
    span: GradientSpan,
    lyapunov: Lyapunov | None,
    timescale: Timescale | None,
    norms: WeightNorms | None,
    lag: Lag | None,
    snippets: Snippets,
    cuts: Cuts,
) -> Fired | None:
    """Span, asymptotic span or timescale under their cuts."""
    asymptotic = lyapunov.asymptotic_span if lyapunov else None
    severity, why = _judge(span, asymptotic, timescale, cuts)
    if severity is None and lag is None:
        # With a lag to compare with, RNN103 is more to the point.
        severity, why = _short_share(span, cuts)
    if severity is None:
        return None
    return Fired(
        message=why,
        severity=severity,
        confidence=_confidence(span, cuts),
        evidence={
            "span": span.span,
            "timesteps": span.timesteps,
            "alpha": span.alpha,
            "half_life": span.half_life,
            "asymptotic_span": asymptotic,
            "timescale_p90": timescale.p90 if timescale else None,
            "by_seed": list(span.by_seed),
        },
        measured=short("span", span.span),
        advice=(
            *start_with_memory(layer, span.timesteps, snippets),
            *stretch_memory(norms, snippets),
        ),
    )


def _confidence(span: GradientSpan, cuts: Cuts) -> Confidence:
    """Lower where the pulse is no loss of the network's, lowest where seeds disagree."""
    known = [own for own in span.by_seed if own is not None]
    if span.span < cuts.warning <= max(known, default=0):
        return "low"
    return "high" if span.cotangent == "output" else "medium"


def _judge(
    span: GradientSpan, asymptotic: float | None, timescale: Timescale | None, cuts: Cuts
) -> tuple[Severity | None, str]:
    """How bad it is, and the sentence that says so."""
    reach = f"the gradient reaches {span.span} of {span.timesteps} steps back"
    if span.timesteps < cuts.timesteps:
        # A cut in proportion: there is no evidence for one, so it is a note at most.
        scaled = cuts.warning * span.timesteps / cuts.timesteps
        found = not span.censored and span.span < scaled
        return ("note" if found else None), f"{reach}, fewer than {scaled:.3g}"
    if not span.censored and span.span < cuts.error:
        return "error", f"{reach}, fewer than {cuts.error:g}"
    if not span.censored and span.span < cuts.warning:
        return "warning", f"{reach}, fewer than {cuts.warning:g}"
    if asymptotic is not None and asymptotic < cuts.warning:
        return "warning", (
            f"on long sequences the gradient would reach {asymptotic:.1f} steps back, "
            f"fewer than {cuts.warning:g}"
        )
    if timescale is not None and timescale.p90 < cuts.timescale:
        return "warning", (
            f"nine of ten units keep their state for {timescale.p90:.1f} timesteps or less, "
            f"under {cuts.timescale:g}"
        )
    return None, ""


def _short_share(span: GradientSpan, cuts: Cuts) -> tuple[Severity | None, str]:
    """Whether a long sequence goes unused for the most part."""
    if span.censored or span.span >= cuts.share * span.timesteps:
        return None, ""
    return "note", (
        f"the gradient reaches {span.span} of {span.timesteps} steps back, "
        f"under {cuts.share:.0%} of the sequence"
    )
