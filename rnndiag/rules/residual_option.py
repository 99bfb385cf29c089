"""The usual regularizers are in place; a path around the layer is left to try.

What it means
    The layer has recurrent dropout and the network has normalization, and gradients still reach
    only few steps back. Or recurrent dropout has come to the end of its steps (0.3 or 0.5), and
    the layer stands on another recurrent layer with no path around it.

Why it matters
    A residual connection adds what goes into a layer to what comes out. The layer then only
    learns what to change, and gradients have a way past it. That regularizes, too, and lets
    recurrent layers be stacked; it also changes the network so much that other settings may have
    to be found anew. So it comes after what is cheaper to try.

What to do
    1. Add the layer's input to its output, through a linear map where their sizes differ.
    2. Where memory is short as well, try independently recurrent units (IndRNN): they are made
    for long sequences and for deep stacks with such paths.

ELI5
    A story is told from person to person, and each one tells it in other words. In the end
    hardly anything of it is left. Now the first one's written text goes along, and everybody only
    adds notes to it. However many there are, the text arrives.

Sources
    - A: what to do 8
    - He et al. 2016, Deep residual learning for image recognition
    - Li et al. 2018, Independently recurrent neural network (IndRNN)
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rnndiag.records import LayerReport, LayerSettings, Report, Skipped
from rnndiag.rules._doubts import by_pulse
from rnndiag.rules._last_resort import in_place, is_climbed
from rnndiag.rules._surroundings import stands_on_recurrent
from rnndiag.rules.base import Cut, Fired, Rule, Thresholds, short, step
from rnndiag.snippets.base import Snippets

if TYPE_CHECKING:
    from rnndiag.measurements.gradient_span import GradientSpan

RULE = Rule(code="RNN414", severity="note", rests_on="memory")
_BY_ORDER = "what feeds the layer is told by the order of the calls alone"
_SUM = re.compile(r"(^|[._/])add(v2|_\d+)?$", re.IGNORECASE)


class Cuts(Thresholds):
    """How short a memory is too short."""

    span = Cut(10, "timesteps", "own cut, as RNN101")
    timesteps = Cut(50, "timesteps", "own cut, as RNN101: on shorter sequences in proportion")


def check(
    layer: LayerReport,
    report: Report,
    own: LayerSettings,
    span: GradientSpan | None,
    snippets: Snippets,
    cuts: Cuts,
) -> Fired | Skipped | None:
    """Recurrent dropout and normalization, and a short memory or a plain stack."""
    ready = in_place(own, report)
    if isinstance(ready, Skipped):
        return ready
    near = _near(span, cuts)
    plain = is_climbed(own) and stands_on_recurrent(layer, report) and not _adds(report)
    if not ready or not (near or plain):
        return None
    rate = own.recurrent_dropout.value if own.recurrent_dropout else 0.0
    why = near or "it stands on another recurrent layer with no path around it"
    confidence, doubt = by_pulse(span) if near and span else ("medium", _BY_ORDER)
    return Fired(
        message=f"with recurrent dropout and normalization, {why}",
        rests_on=None if near else "facts",
        confidence=confidence,
        doubt=doubt,
        evidence={
            "recurrent_dropout": rate,
            "span": span.span if span else None,
            "timesteps": span.timesteps if span else None,
        },
        measured=short("span", span.span) if near and span else None,
        advice=(
            step("add the layer's input to its output", "A: what to do 8", snippets.residual()),
            step(
                "for long sequences try independently recurrent units (IndRNN)",
                "Li et al. 2018",
            ),
        ),
    )


def _near(span: GradientSpan | None, cuts: Cuts) -> str:
    """That the gradient ends near by, as a sentence; empty where it does not."""
    if span is None or span.censored:
        return ""
    least = cuts.span * min(1.0, span.timesteps / cuts.timesteps)
    if span.span >= least:
        return ""
    return f"gradients still reach only {span.span} steps back, fewer than {least:.3g}"


def _adds(report: Report) -> bool:
    """Whether the network adds anything: ``Add``, ``ops.Add``, ``tf.raw_ops.AddV2`` and such."""
    texts = (text for own in report.network for text in (own.kind, own.name))
    return any(_SUM.search(text) for text in texts)
