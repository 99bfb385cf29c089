"""The points of a course: each checkpoint's numbers, and what was found at it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from rnndiag.comparing import QUANTITIES
from rnndiag.errors import RnndiagError
from rnndiag.evidence.series import Survey
from rnndiag.records import (
    Finding,
    LayerPoint,
    LayerReport,
    Norms,
    Point,
    Reach,
    Said,
    Series,
)
from rnndiag.tracking._seen import Seen
from rnndiag.wording import address

_BY_NAME = {quantity.name: quantity for quantity in QUANTITIES}


def axis(survey: Survey) -> Literal["epoch", "step", "checkpoint"]:
    """What orders the points."""
    if survey.clock is None:
        return "checkpoint"
    return "epoch" if survey.clock == "epoch" else "step"


def points(survey: Survey, followed: Sequence[Seen]) -> tuple[Point, ...]:
    """All checkpoints in order."""
    before: dict[str, tuple[Said, ...]] = {}
    found = []
    for place, own in enumerate(followed):
        said = tuple(map(_said, own.findings))
        earlier = before.get(own.judged, said)
        path = survey.series.checkpoints[place]
        found.append(
            Point(
                path=path,
                step=survey.series.steps[place],
                layers=_layers(survey.series, place, own),
                judged=own.judged,
                said=said,
                appeared=tuple(one for one in said if _place(one) not in map(_place, earlier)),
                gone=tuple(one for one in earlier if _place(one) not in map(_place, said)),
                reason=None if own.error is None else reason(path, own.error),
            )
        )
        if own.judged != "none":
            before[own.judged] = said
    return tuple(found)


def reason(path: str, error: RnndiagError) -> str:
    """What is wrong with a checkpoint, without its name."""
    return error.message.removeprefix(f"{path}: ")


def key(layer: LayerReport) -> str:
    """A layer's name in the points."""
    return address(layer.id, layer.call, layer.direction)


def _said(finding: Finding) -> Said:
    return Said(
        rule=finding.rule,
        name=finding.name,
        severity=finding.severity,
        layer=finding.layer,
        direction=finding.direction,
        call=finding.call,
    )


def _place(said: Said) -> tuple[str, str | None, str | None, int]:
    return said.rule, said.layer, said.direction, said.call


# ---------------------------------------------------------------- one checkpoint's layers


def _layers(series: Series, place: int, own: Seen) -> dict[str, LayerPoint]:
    """Every layer of the series, and what is only in the report: further calls of a shared one."""
    reports = own.report.layers if own.report else ()
    measured = {key(layer): layer for layer in reports if layer.analysed}
    norms = {name: _norms(series, name, place) for name in series.layers}
    for name, layer in measured.items():
        if name not in norms:
            norms[name] = _norms(series, f"{layer.id}/{layer.direction}", place)
    return {name: _layer(own, measured.get(name)) for name, own in norms.items()}


def _norms(series: Series, name: str, place: int) -> Norms:
    sizes = series.layers.get(name)
    if sizes is None:
        return Norms()
    bias = sizes.bias[place] if sizes.bias else None
    return Norms(kernel=sizes.kernel[place], recurrent=sizes.recurrent[place], bias=bias)


def _layer(norms: Norms, layer: LayerReport | None) -> LayerPoint:
    if layer is None:
        return LayerPoint(norms=norms)
    return LayerPoint(
        norms=norms,
        reach=_reach(layer),
        dead=_BY_NAME["dead_share"].of(layer),
        extreme=_BY_NAME["extreme_share"].of(layer),
        stuck=_BY_NAME["stuck_share"].of(layer),
    )


def _reach(layer: LayerReport) -> Reach | None:
    span = layer.fact("gradient_span")
    if span is None:
        return None
    return Reach(span=span.span, censored=span.censored, timesteps=span.timesteps)
