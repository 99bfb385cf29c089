"""The course of a training along an axis: where checkpoints stand, and where one is missing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from rnndiag.figures._style import GRAY, SEVERITIES
from rnndiag.outputs.words import courses as words
from rnndiag.records import Array, Course, LayerCourse

_MOST_MARKS = 60
"""Points up to which each is marked."""


def moments(course: Course) -> Array:
    """(points,) where each checkpoint stands."""
    return np.array([course.at(k) for k in range(len(course.points))])


def gaps(course: Course) -> Array:
    """Where the files stand that are no part of the series: between their neighbors by name."""
    at = moments(course)
    places = sorted({gap.before for gap in course.gaps if gap.before is not None})
    beside = (at[-1] - at[0]) / max(1, 2 * (len(at) - 1)) or 0.5
    edges = [at[0] - beside, *(at[:-1] + at[1:]) / 2, at[-1] + beside]
    return np.array([edges[place] for place in places])


def draw_line(
    axes: Axes,
    course: Course,
    values: Sequence[float | None],
    color: str,
    label: str,
    width: float = 1.8,
) -> Array:
    """One quantity over the run, broken where it is not known or a file is missing.

    Returns the values that were drawn, NaN where there are none.
    """
    at, missing = moments(course), gaps(course)
    known = np.array([np.nan if value is None else value for value in values], float)
    x = np.concatenate([at, missing])
    y = np.concatenate([known, np.full(len(missing), np.nan)])
    order = np.argsort(x, kind="stable")
    # A point between two gaps is no line: without a mark it would not be seen.
    mark = "o" if len(at) <= _MOST_MARKS or np.isnan(y).any() else ""
    axes.plot(x[order], y[order], marker=mark, ms=2 + width, lw=width, color=color, label=label)
    return known


def finish(axes: Axes, course: Course) -> None:
    """The axis of the training, and a line for each gap."""
    for k, place in enumerate(gaps(course)):
        label = "left out: a gap" if k == 0 else "_"
        axes.axvline(place, color=GRAY, ls=(0, (1, 3)), lw=1.2, label=label)
    at = np.concatenate([moments(course), gaps(course)])
    room = 0.03 * (at.max() - at.min()) or 0.5
    axes.set_xlim(at.min() - room, at.max() + room)
    axes.set_xlabel(axis_label(course))
    whole = course.axis != "step"
    axes.xaxis.set_major_locator(MaxNLocator(integer=whole, nbins=8))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.15g}"))


def axis_label(course: Course) -> str:
    """What the axis counts."""
    if course.axis != "checkpoint":
        return course.axis
    return f"checkpoint, by name from {words.moment(course, 0)}"


def mark_findings(axes: Axes, course: Course, own: LayerCourse) -> list[str]:
    """A line at the checkpoint from which on the series has had something against a layer.

    Returns what is marked, in words.
    """
    told: list[str] = []
    styles = ("--", "-.", ":")
    for lasting in words.of_series(course, own):
        finding = lasting.finding
        assert lasting.since is not None
        text = f"{finding.rule} {finding.name} {words.since(course, lasting)}"
        axes.axvline(
            course.at(lasting.since),
            color=SEVERITIES[finding.severity],
            ls=styles[len(told) % len(styles)],
            lw=1.4,
            label=text,
        )
        told.append(text)
    return told


def gaps_told(course: Course) -> str:
    """A sentence for the caption where a line is broken; else nothing."""
    return " A dotted line is a file that was left out." if len(gaps(course)) else ""
