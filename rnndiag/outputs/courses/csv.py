"""The numbers of a course as CSV: a row for each checkpoint and layer, one for each gap."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from rnndiag.printable import one_line
from rnndiag.records import SEVERITIES, Course, LayerCourse, LayerPoint, Point

COLUMNS = (
    "path",
    "epoch",
    "step",
    "layer",
    "direction",
    "call",
    "kernel_norm",
    "recurrent_norm",
    "bias_norm",
    "span",
    "span_censored",
    "timesteps",
    "dead_share",
    "extreme_share",
    "stuck_share",
    "errors",
    "warnings",
    "notes",
    "gap",
)
"""Findings are counted for the whole checkpoint; an empty cell is what is not known."""


def render(course: Course, *, width: int, color: bool, verbose: bool) -> str:
    """All of it, with a heading; the terminal's `width`, `color` and `verbose` change nothing."""
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    table.writeheader()
    table.writerows(_rows(course))
    return text.getvalue()


def _rows(course: Course) -> Iterator[dict[str, Any]]:
    """In the order of the run; gaps where they stand by name, other files behind."""
    places = range(len(course.points) + 1)
    for place, point in zip(places, (*course.points, None), strict=True):
        for gap in course.gaps:
            if gap.before == place or (gap.before is None and point is None):
                yield {"path": one_line(gap.path), "gap": one_line(gap.reason)}
        if point is not None:
            yield from (_row(course, point, layer) for layer in course.layers)


def _row(course: Course, point: Point, own: LayerCourse) -> dict[str, Any]:
    layer = own.layer
    row: dict[str, Any] = {
        "path": one_line(point.path),
        "layer": one_line(layer.id),
        "direction": layer.direction,
        "call": layer.call,
        "gap": one_line(point.reason or ""),
    }
    if course.axis != "checkpoint":
        row[course.axis] = _number(point.step)
    if point.judged == "all":
        counts = {f"{one}s": sum(said.severity == one for said in point.said) for one in SEVERITIES}
        row.update(counts)
    return {**row, **_numbers(point.layers[own.key])} if own.key in point.layers else row


def _numbers(layer: LayerPoint) -> dict[str, Any]:
    reach, norms = layer.reach, layer.norms
    found = {
        "kernel_norm": _number(norms.kernel),
        "recurrent_norm": _number(norms.recurrent),
        "bias_norm": _number(norms.bias),
        "dead_share": _number(layer.dead),
        "extreme_share": _number(layer.extreme),
        "stuck_share": _number(layer.stuck),
    }
    if reach is None:
        return found
    censored = str(reach.censored).lower()
    return {**found, "span": reach.span, "span_censored": censored, "timesteps": reach.timesteps}


def _number(value: float | None) -> str:
    """As many digits as are the same on every machine."""
    return "" if value is None else f"{value:.6g}"
