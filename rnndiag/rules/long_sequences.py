"""Sequences are longer than recurrent layers take in well.

What it means
    The first recurrent layer reads more than a thousand timesteps, one after the other. Only
    lengths that are real count: those of your own probe, or one that the network itself fixes.

Why it matters
    Every timestep is one more step that a gradient has to survive and a sum that has to wait for
    the one before. Neighbouring steps of long recordings often tell nearly the same, so most of
    that effort brings nothing.

What to do
    1. Put a convolution in front that has a stride: it sums up a few steps and hands on one, so
    that about a thousand are left. Validation should not suffer, and may improve.

    If a short window is enough for the task, cut sequences into windows instead.

ELI5
    In a flip book every page differs a tiny bit from the one before. If you look at every fifth
    page only, you still see the horse jump. And you are at the end before you forget how it
    started.

Sources
    - A: tip 2
    - A: depth vs. width
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rnndiag.records import LayerReport, Report, Skipped
from rnndiag.rules._sizes import known_timesteps
from rnndiag.rules.base import Cut, Fired, Rule, Thresholds, step, worse
from rnndiag.snippets.base import Snippets

if TYPE_CHECKING:
    from rnndiag.measurements.gradient_span import GradientSpan

RULE = Rule(code="RNN501", severity="note", rests_on="facts")


class Cuts(Thresholds):
    """How long is long."""

    timesteps = Cut(1000, "timesteps", "A: tip 2")


def check(
    layer: LayerReport,
    report: Report,
    span: GradientSpan | None,
    snippets: Snippets,
    cuts: Cuts,
) -> Fired | Skipped | None:
    """More timesteps than the cut, at the first layer that reads so many."""
    if known_timesteps(report) is None:
        return Skipped(reason="made-up sequences are as long as anyone likes: give --probe FILE")
    if layer is not _first(report, cuts):
        return None
    timesteps = _read_by(layer, report)
    stride = math.ceil(timesteps / cuts.timesteps)
    left = math.ceil(timesteps / stride)
    reach = None if span is None else f"{'≥ ' if span.censored else ''}{span.span}"
    return Fired(
        message=f"the layer reads {timesteps} timesteps, more than {cuts.timesteps:g}",
        evidence={"timesteps": timesteps, "span": reach, "source": report.probe.source},
        measured=worse("timesteps", timesteps),
        advice=(
            step(
                f"a convolution with a stride of {stride} in front: {left} of {timesteps} "
                "timesteps are left",
                "A: tip 2",
                snippets.strided_convolution(stride),
            ),
        ),
    )


def _first(report: Report, cuts: Cuts) -> LayerReport | None:
    """The first that reads so many: what shortens its sequences shortens those after it, too."""
    long = (own for own in report.layers if _read_by(own, report) > cuts.timesteps)
    return next(long, None)


def _read_by(layer: LayerReport, report: Report) -> int:
    """What arrives at the layer: strides and pooling in front have shortened it already."""
    span = layer.fact("gradient_span")
    return int(getattr(span, "timesteps", report.probe.timesteps)) if layer.analysed else 0
