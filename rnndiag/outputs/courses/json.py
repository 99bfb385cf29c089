"""Courses as JSON: ``schema_version`` 1, described by ``schema.json`` beside this file."""

from __future__ import annotations

import json
from typing import Any

from rnndiag import __version__
from rnndiag.outputs.reports.json import plain, report_data
from rnndiag.records import Course, Lasting, LayerCourse, Regression


def render(course: Course, *, width: int, color: bool, verbose: bool) -> str:
    """All of it; the terminal's `width`, `color` and `verbose` change nothing."""
    return json.dumps(as_data(course), indent=2, allow_nan=False) + "\n"


def as_data(course: Course) -> dict[str, Any]:
    """The course as plain data; numbers that JSON has not become null."""
    return {
        "schema_version": course.schema_version,
        "rnndiag_version": __version__,
        "exit_code": course.exit_code,
        "axis": course.axis,
        "lag": course.lag,
        "alpha": course.alpha,
        "checkpoints": plain(course.points),
        "layers": [_layer(layer) for layer in course.layers],
        "findings": [_lasting(course, own) for own in course.findings],
        "regressions": [_regression(own) for own in course.regressions],
        "gaps": plain(course.gaps),
        "notes": list(course.notes),
        "last": report_data(course.report),
    }


def _layer(own: LayerCourse) -> dict[str, Any]:
    layer = own.layer
    return {
        "key": own.key,
        "id": layer.id,
        "direction": layer.direction,
        "call": layer.call,
        "kind": layer.kind,
        "hidden_size": layer.hidden_size,
        "growth": {
            part: plain({**vars(growth), "factor": growth.factor})
            for part, growth in own.growth.items()
        },
    }


def _regression(own: Regression) -> dict[str, Any]:
    """A quantity that got worse, and the two checkpoints between which it did."""
    layer = own.layer
    return {
        "layer": layer.id,
        "direction": layer.direction,
        "call": layer.call,
        "name": own.change.name,
        "before": plain(own.change.before),
        "after": plain(own.change.after),
        "first": own.first,
        "last": own.last,
    }


def _lasting(course: Course, own: Lasting) -> dict[str, Any]:
    """A finding, and the checkpoint from which on it held."""
    since = None
    if own.since is not None:
        point = course.points[own.since]
        since = {"checkpoint": own.since, "path": point.path, "step": plain(point.step)}
    return {**plain(own.finding), "since": since}
