"""How large kernel, recurrent kernel and biases were at each checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from matplotlib.axes import Axes

from rnndiag.figures._moments import draw_line, finish, gaps_told, mark_findings
from rnndiag.figures._style import PARTS as COLORS
from rnndiag.figures._style import legend, log_ticks, sheet
from rnndiag.figures.base import Picture
from rnndiag.outputs.words import courses as words
from rnndiag.records import PARTS, Array, Course, LayerCourse
from rnndiag.wording import number, title

PLACE = 10
TITLE = "Norms over training"
_SYMBOLS: Mapping[str, str] = {"kernel": "‖K‖", "recurrent": "‖R‖", "bias": "‖b‖"}
_LEAST_RANGE = 3.0
"""Times that the axis spans at least: a change of some percent should not fill the picture."""
_FARTHEST = 200.0
"""Decades around 1 beyond which the axis does not follow; float32 ends at 38."""


def draw(course: Course) -> Iterator[Picture]:
    """One picture for each layer and direction any norm of which is known and above 0."""
    for own in course.layers:
        if own.growth:
            yield _picture(course, own)


def _picture(course: Course, own: LayerCourse) -> Picture:
    figure, axes = sheet(f"{TITLE}: {title(own.layer)}", height=4.3)
    drawn = _lines(axes, course, own)
    _scale(axes, drawn)
    marked = mark_findings(axes, course, own)
    finish(axes, course)
    legend(figure, axes, columns=1)
    return Picture(
        name="norms",
        title=TITLE,
        caption="Frobenius norms of kernel, recurrent kernel and biases on a log axis, where equal "
        "growth is an equal slope. In the legend the growth from the first norm to the last, and "
        f"the rate by a Theil-Sen fit. A norm of 0 is not drawn.{gaps_told(course)}",
        alt=_alt(own, marked),
        figure=figure,
        layer=own.layer,
    )


def _lines(axes: Axes, course: Course, own: LayerCourse) -> Array:
    drawn = []
    _, unit = words.per(course)
    for part in PARTS:
        growth = own.growth.get(part)
        if growth is None:
            continue
        points = (point.layers.get(own.key) for point in course.points)
        norms = [getattr(point.norms, part) or None if point else None for point in points]
        rate = f", {words.rate(course, growth)} per {unit}" if growth.rate is not None else ""
        label = f"{_SYMBOLS[part]}  × {number(growth.factor)}{rate}"
        drawn.append(draw_line(axes, course, norms, COLORS[part], label))
    return np.concatenate(drawn)


def _scale(axes: Axes, drawn: Array) -> None:
    """A log axis that is not stretched where nothing changes."""
    logs = np.log10(drawn[np.isfinite(drawn)])
    low, high = float(logs.min()), float(logs.max())
    wanted = np.log10(_LEAST_RANGE)
    room = max(0.05 * (high - low), (wanted - (high - low)) / 2, 0.03)
    low, high = max(low - room, -_FARTHEST), min(high + room, _FARTHEST)
    # In this order: a log axis that fits itself to its data overflows where these are extreme.
    axes.set_ylim(10**low, 10**high)
    axes.set_yscale("log")
    log_ticks(axes.yaxis)
    axes.set_ylabel("Frobenius norm")


def _alt(own: LayerCourse, marked: list[str]) -> str:
    lines = (
        f"{_SYMBOLS[part]} goes from {number(growth.first)} to {number(growth.last)}"
        for part, growth in own.growth.items()
    )
    findings = f" Marked: {'; '.join(marked)}." if marked else ""
    return f"Lines on a log axis: {', '.join(lines)}.{findings}"
