"""What is kept of one checkpoint: a row that is small enough for ten thousand of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from rnndiag.comparing import QUANTITIES
from rnndiag.errors import RnndiagError
from rnndiag.records import (
    SEVERITIES,
    Finding,
    LayerReport,
    Report,
    Row,
    RowStatus,
    Severity,
    Stamp,
)

_QUANTITIES = {quantity.name: quantity for quantity in QUANTITIES}
UNTOLD = RnndiagError.exit_code
"""The status of a checkpoint that could not be diagnosed."""


def of_report(path: str, stamp: Stamp, report: Report, seconds: float) -> Row:
    """The row of a checkpoint that was judged."""
    found = report.judgement.findings if report.judgement else ()
    new = [finding for finding in found if not finding.known]
    severities = Counter(finding.severity for finding in new)
    analysed = [layer for layer in report.layers if layer.analysed]
    return Row(
        path=path,
        status="ok",
        exit_code=report.exit_code,
        seconds=seconds,
        stamp=stamp,
        sha256=report.checkpoint.sha256,
        format=report.checkpoint.format,
        parameters=report.checkpoint.parameters,
        layers=len(analysed),
        severity=next((own for own in SEVERITIES if own in severities), None),
        findings=dict(Counter(finding.rule for finding in new)),
        worst=_worst(new),
        severities={own: severities[own] for own in SEVERITIES if own in severities},
        known=len(found) - len(new),
        dead_share=_largest("dead_share", analysed),
        stuck_share=_largest("stuck_share", analysed),
        message=_why_nothing(report, analysed),
        **_shortest(analysed),
    )


def of_failure(
    path: str, stamp: Stamp, status: RowStatus, told: tuple[str, str], seconds: float
) -> Row:
    """The row of one that could not be diagnosed; `told` is the message and the hint."""
    message, hint = told
    return Row(
        path=path,
        status=status,
        exit_code=UNTOLD,
        seconds=seconds,
        stamp=stamp,
        message=message.removeprefix(f"{path}: "),
        hint=hint,
    )


def _worst(findings: Iterable[Finding]) -> dict[str, Severity]:
    found: dict[str, Severity] = {}
    for finding in findings:  # the worst stand first
        found.setdefault(finding.rule, finding.severity)
    return found


def _largest(name: str, layers: Iterable[LayerReport]) -> float | None:
    values = (_QUANTITIES[name].of(layer) for layer in layers)
    return max((value for value in values if value is not None), default=None)


def _shortest(layers: Iterable[LayerReport]) -> dict[str, Any]:
    """Where the gradient reaches the fewest steps back, and how many."""
    measured = ((layer, layer.fact("gradient_span")) for layer in layers)
    spans = [(layer, fact) for layer, fact in measured if fact is not None]
    if not spans:
        return {}
    # Of two that are equal, the one that is no more than a lower bound is not the shorter one.
    layer, fact = min(spans, key=lambda own: (own[1].span, own[1].censored))
    return {
        "layer": layer.id,
        "direction": layer.direction,
        "span": fact.span,
        "span_censored": fact.censored,
        "timesteps": fact.timesteps,
    }


def _why_nothing(report: Report, analysed: Sequence[LayerReport]) -> str:
    """Why no layer was analysed: the reason of the first, where there is any."""
    if analysed:
        return ""
    reasons = [layer.reason for layer in report.layers if layer.reason]
    return reasons[0] if reasons else "it has no recurrent layer"
