"""The layers of a course: how fast each of their norms grew."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rnndiag.records import PARTS, Growth, LayerCourse, LayerReport, Part, Point, Report
from rnndiag.slopes import theil_sen
from rnndiag.tracking._points import key

_FIT_POINTS = 300
"""A line through more points than this is fitted to evenly spaced ones."""


def courses(
    points: Sequence[Point], axis: str, reports: Sequence[Report | None]
) -> tuple[LayerCourse, ...]:
    """All layers that any point has; `reports` tell what each was when it was seen last."""
    latest = {
        key(layer): layer
        for report in reports
        if report is not None
        for layer in report.layers
        if layer.analysed
    }
    names = dict.fromkeys(name for point in points for name in point.layers)
    return tuple(
        LayerCourse(
            key=name,
            layer=latest.get(name) or _unseen(name),
            growth=_growths(points, axis, name),
        )
        for name in names
    )


def _unseen(name: str) -> LayerReport:
    """A layer that has weights, but was not run."""
    own, _, direction = name.rpartition("/")
    return LayerReport(
        name=own,
        id=own,
        kind="",
        direction="backward" if direction == "backward" else "forward",
        index=0,
        input_size=None,
        hidden_size=None,
        analysed=False,
        reason="it was not run",
    )


def _growths(points: Sequence[Point], axis: str, name: str) -> dict[Part, Growth]:
    found: dict[Part, Growth] = {}
    for part in PARTS:
        pairs = [
            (float(place) if axis == "checkpoint" or point.step is None else point.step, norm)
            for place, point in enumerate(points)
            if name in point.layers and (norm := getattr(point.layers[name].norms, part))
        ]
        if pairs:
            found[part] = growth(pairs)
    return found


def growth(pairs: Sequence[tuple[float, float]]) -> Growth:
    """How a norm grew over (moment, norm > 0) pairs, in order.

    The rate is a robust slope of ln‖·‖: a few checkpoints that are off do not move it.
    """
    stride = -(-len(pairs) // _FIT_POINTS)
    moments, norms = np.array(pairs[::stride]).T
    rate = theil_sen(moments, np.log(norms))
    return Growth(first=pairs[0][1], last=pairs[-1][1], rate=rate)
