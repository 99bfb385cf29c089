"""Courses of training runs, made up by hand: numbers that a test can tell by heart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rule_reports import report as healthy

from rnndiag import judging
from rnndiag.records import (
    Course,
    Finding,
    Gap,
    Growth,
    Lasting,
    LayerCourse,
    LayerPoint,
    LayerReport,
    Norms,
    Part,
    Point,
    Policy,
    Reach,
    Said,
)

KEY = "lstm/forward"
OUTGROWS = Said(
    rule="RNN304",
    name="bias-outgrows-kernels",
    severity="warning",
    layer="lstm",
    direction="forward",
)


def point(k: int, bias: float | None = 1.0, **changes: Any) -> Point:
    """Checkpoint `k`, saved after epoch ``k + 1``; `changes` replace what is in its layer."""
    own = LayerPoint(
        norms=Norms(kernel=4.0, recurrent=8.0, bias=bias),
        reach=Reach(span=12, censored=False, timesteps=20),
        dead=0.0,
        extreme=0.125,
        stuck=0.25,
    )
    layers = {KEY: replace(own, **changes)}
    return Point(path=f"run/epoch-{k + 1}.pt", step=k + 1.0, layers=layers, judged="all")


def found(said: Said = OUTGROWS, **changes: Any) -> Finding:
    """What the last checkpoint's judgement has of it."""
    told: Mapping[str, Any] = {
        "confidence": "high",
        "message": "the biases grew 4 times",
        "evidence": {"checkpoints": 3},
        **changes,
    }
    return Finding(**vars(said), **told)


def layer(**changes: Any) -> LayerReport:
    """The healthy report's LSTM."""
    return replace(healthy().layers[0], **changes)


def course(
    points: Sequence[Point] | None = None,
    *,
    growth: Mapping[Part, Growth] | None = None,
    **changes: Any,
) -> Course:
    """Three checkpoints over which the biases double each epoch, from the second on told."""
    if points is None:
        points = [point(0, 0.5), point(1, 1.0), point(2, 2.0)]
        points[1:] = [replace(own, said=(OUTGROWS,)) for own in points[1:]]
        points[1] = replace(points[1], appeared=(OUTGROWS,))
        changes = {"findings": (Lasting(finding=found(), since=1),), **changes}
    if growth is None:
        flat = {"kernel": 4.0, "recurrent": 8.0}
        growth = {name: Growth(first=v, last=v, rate=0.0) for name, v in flat.items()}  # type: ignore[misc]
        growth = {**growth, "bias": Growth(first=0.5, last=2.0, rate=0.6931471805599453)}
    own = LayerCourse(key=KEY, layer=layer(), growth=growth)
    judged = judging.judge(healthy(), Policy())
    fields = {"axis": "epoch", "layers": (own,), "report": judged, **changes}
    return Course(points=tuple(points), **fields)


def gap(before: int | None, path: str = "run/broken.pt", reason: str = "damaged") -> Gap:
    return Gap(path=path, reason=reason, before=before)
