"""Which share of the units was dead, stuck or at its ends at each checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from matplotlib.axes import Axes

from rnndiag.figures._moments import draw_line, finish, gaps_told
from rnndiag.figures._style import BLUE, ORANGE, VERMILION, legend, sheet
from rnndiag.figures.base import Picture
from rnndiag.records import Course, LayerCourse
from rnndiag.wording import percent, title

PLACE = 30
TITLE = "Dead, extreme and stuck over training"
_LEAST = 2
_LINES: Mapping[str, tuple[str, str, float]] = {
    "dead": ("dead units", VERMILION, 4.0),
    "extreme": ("extreme values", ORANGE, 2.6),
    "stuck": ("stuck units of the worst gate", BLUE, 1.4),
}
"""Label, color and width: lines often lie on each other, most often at 0."""
_LEAST_TOP = 10.0
"""Percent at which the axis ends at least."""

Shares = Mapping[str, Sequence[float | None]]


def draw(course: Course) -> Iterator[Picture]:
    """One picture for each layer with a share that is ever above 0, and known more than once."""
    for own in course.layers:
        shares = {name: _values(course, own, name) for name in _LINES}
        known = {name: values for name, values in shares.items() if _count(values) >= _LEAST}
        if any(value for values in known.values() for value in values):
            yield _picture(course, own, known)


def _values(course: Course, own: LayerCourse, name: str) -> list[float | None]:
    """In percent."""
    points = (point.layers.get(own.key) for point in course.points)
    found = (None if point is None else getattr(point, name) for point in points)
    return [None if share is None else 100.0 * share for share in found]


def _count(values: Sequence[float | None]) -> int:
    return sum(value is not None for value in values)


def _picture(course: Course, own: LayerCourse, shares: Shares) -> Picture:
    figure, axes = sheet(f"{TITLE}: {title(own.layer)}", height=3.8)
    for name, values in shares.items():
        label, color, width = _LINES[name]
        draw_line(axes, course, values, color, label, width)
    _scale(axes, shares)
    finish(axes, course)
    legend(figure, axes, columns=3)
    return Picture(
        name="activity",
        title=TITLE,
        caption="Shares at each checkpoint on the same probe: of the units that are dead, of all "
        "values of h that are extreme, and, in the gate that has most of them, of the units whose "
        f"gate is stuck at one end.{gaps_told(course)}",
        alt=_alt(shares),
        figure=figure,
        layer=own.layer,
    )


def _scale(axes: Axes, shares: Shares) -> None:
    """From 0 on, with room above the largest share."""
    largest = max(value for values in shares.values() for value in values if value is not None)
    axes.set_ylim(-0.03 * max(_LEAST_TOP, largest), min(103.0, 1.1 * max(_LEAST_TOP, largest)))
    axes.set_ylabel("share in %")


def _alt(shares: Shares) -> str:
    told = []
    for name, values in shares.items():
        known = [value / 100 for value in values if value is not None]
        told.append(f"{_LINES[name][0]} from {percent(known[0])} to {percent(known[-1])}")
    return f"Lines over the run: {', '.join(told)}."
