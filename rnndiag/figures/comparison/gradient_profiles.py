"""How far the gradient reaches, before and after."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes

from rnndiag.figures._profiles import log10_of, scale
from rnndiag.figures._style import BLUE, GRAY, PURPLE, VERMILION, legend, sheet
from rnndiag.figures.base import Picture
from rnndiag.measurements.gradient_span import GradientSpan
from rnndiag.records import Comparison, LayerPair, LayerReport
from rnndiag.wording import title

PLACE = 20
TITLE = "Gradient through time, before and after"


def draw(comparison: Comparison) -> Iterator[Picture]:
    """One picture for each pair of layers in which both gradients could be followed."""
    for pair in comparison.pairs:
        before, after = map(_span_of, (pair.before, pair.after))
        if before is not None and after is not None:
            yield _picture(pair, before, after, comparison.lag)


def _span_of(layer: LayerReport) -> GradientSpan | None:
    fact = layer.fact("gradient_span")
    return fact if isinstance(fact, GradientSpan) else None


def _picture(
    pair: LayerPair, before: GradientSpan, after: GradientSpan, lag: int | None
) -> Picture:
    figure, axes = sheet(f"Gradient through time: {title(pair.after)}", height=4.0)
    _profile(axes, before, "before", BLUE, "--")
    _profile(axes, after, "after", VERMILION, "-")
    for alpha in sorted({before.alpha, after.alpha}):
        axes.axhline(np.log10(alpha), color=GRAY, ls=":", label=f"α = {alpha:g}")
    if lag is not None:
        axes.axvline(lag, color=PURPLE, ls="-.", lw=1.4, label=f"lag of the task {lag}")
    scale(axes, [before, after])
    legend(figure, axes)
    return Picture(
        name="gradient_profiles",
        title=TITLE,
        caption="Mean norm of the total gradient, k steps before the last real one, relative to "
        "the last. The vertical lines stand at the last step that the span counts.",
        alt="Two lines on a log axis: the span is "
        f"{_span(before)} before and {_span(after)} after.",
        figure=figure,
        layer=pair.after,
    )


def _profile(axes: Axes, span: GradientSpan, when: str, color: str, style: str) -> None:
    axes.plot(log10_of(span), color=color, ls=style, label=f"{when}: span {_span(span)}")
    axes.axvline(span.span - 1, color=color, ls=style, lw=1)


def _span(span: GradientSpan) -> str:
    return f"{'≥ ' if span.censored else ''}{span.span} of {span.timesteps}"
