"""How far the gradient reached at each checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from rnndiag.figures._moments import draw_line, finish, gaps_told, moments
from rnndiag.figures._style import BLUE, GRAY, PURPLE, legend, sheet
from rnndiag.figures.base import Picture
from rnndiag.records import Course, LayerCourse, Reach
from rnndiag.wording import title

PLACE = 20
TITLE = "Gradient span over training"
_LEAST = 2


def draw(course: Course) -> Iterator[Picture]:
    """One picture for each layer whose span is known at two checkpoints or more."""
    for own in course.layers:
        points = (point.layers.get(own.key) for point in course.points)
        reaches = [point.reach if point else None for point in points]
        if sum(reach is not None for reach in reaches) >= _LEAST:
            yield _picture(course, own, reaches)


def _picture(course: Course, own: LayerCourse, reaches: Sequence[Reach | None]) -> Picture:
    figure, axes = sheet(f"{TITLE}: {title(own.layer)}", height=3.8)
    spans = [float(reach.span) if reach else None for reach in reaches]
    draw_line(axes, course, spans, BLUE, f"span at α = {course.alpha:g}")
    _bounds(axes, course, reaches)
    longest = max(reach.timesteps for reach in reaches if reach)
    axes.axhline(longest, color=GRAY, ls=":", label=f"length of the probe {longest}")
    if course.lag is not None:
        axes.axhline(
            course.lag, color=PURPLE, ls="-.", lw=1.4, label=f"lag of the task {course.lag}"
        )
    axes.set_ylim(0, 1.08 * max(longest, course.lag or 0))
    axes.set_ylabel("span in timesteps")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    finish(axes, course)
    legend(figure, axes, columns=2)
    return Picture(
        name="spans",
        title=TITLE,
        caption="The gradient span of each checkpoint on the same probe. A triangle is a lower "
        f"bound: the gradient still reached where the probe ended.{gaps_told(course)}",
        alt=_alt(reaches, course.lag),
        figure=figure,
        layer=own.layer,
    )


def _bounds(axes: Axes, course: Course, reaches: Sequence[Reach | None]) -> None:
    """A triangle over each span that the end of the probe cut short."""
    censored = np.array([bool(reach and reach.censored) for reach in reaches])
    if censored.any():
        spans = np.array([reach.span if reach else np.nan for reach in reaches], float)
        at = moments(course)[censored]
        axes.plot(at, spans[censored], "^", ms=8, color=BLUE, label="at least (the probe ends)")


def _alt(reaches: Sequence[Reach | None], lag: int | None) -> str:
    known = [reach for reach in reaches if reach]
    first, last = (f"{'at least ' if r.censored else ''}{r.span}" for r in (known[0], known[-1]))
    asked = f" The task asks for {lag}." if lag is not None else ""
    return (
        f"A line: the span goes from {first} to {last} of {known[-1].timesteps} timesteps.{asked}"
    )
