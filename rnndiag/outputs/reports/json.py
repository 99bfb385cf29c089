"""Reports as JSON: ``schema_version`` 1, described by ``schema.json`` beside this file."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from numbers import Integral, Real
from typing import Any

from rnndiag import __version__
from rnndiag.records import Failed, Judgement, LayerReport, Outcome, Report, Skipped

SCHEMA_VERSION = 1
_NOT_ASKED = Judgement(findings=())


def render(outcome: Outcome, *, width: int, color: bool, verbose: bool) -> str:
    """All of it; the terminal's `width`, `color` and `verbose` change nothing."""
    return json.dumps(as_data(outcome), indent=2, allow_nan=False) + "\n"


def as_data(outcome: Outcome) -> dict[str, Any]:
    """The one report, or several with what could not be read; plain data."""
    reports = [report_data(report) for report in outcome.reports]
    if len(reports) == 1 and not outcome.unread:
        return reports[0]
    return {
        "schema_version": SCHEMA_VERSION,
        "rnndiag_version": __version__,
        "exit_code": outcome.exit_code,
        "reports": reports,
        "unread": plain(outcome.unread),
    }


def report_data(report: Report) -> dict[str, Any]:
    """One report as plain data; numbers that JSON has not become null."""
    data = {"schema_version": report.schema_version, **plain(report)}
    data["layers"] = [_layer(layer) for layer in report.layers]
    del data["judgement"]
    judged = report.judgement or _NOT_ASKED
    data["judged"] = report.judgement is not None
    data["findings"] = plain(judged.findings)
    data["passed"] = plain(judged.passed)
    measurements = [item for layer in report.layers for item in _skipped(layer)]
    data["skipped"] = [*measurements, *plain(judged.skipped)]
    return data


def _skipped(layer: LayerReport) -> Iterator[dict[str, Any]]:
    """What is missing of a layer: the whole of it, or measurements that do not apply or broke."""
    which = {"layer": layer.name, "id": layer.id, "direction": layer.direction, "call": layer.call}
    if not layer.analysed:
        yield {**which, "measurement": None, "reason": layer.reason, "error": False}
    for name, fact in layer.measurements.items():
        if isinstance(fact, Skipped):
            broke = isinstance(fact, Failed)
            yield {**which, "measurement": name, "reason": fact.reason, "error": broke}


def _layer(layer: LayerReport) -> dict[str, Any]:
    data: dict[str, Any] = plain(layer)
    measured = layer.measurements.items()
    data["measurements"] = {
        name: None if isinstance(fact, Skipped) else plain(fact) for name, fact in measured
    }
    return data


def plain(value: Any) -> Any:
    """Records, mappings and sequences as what JSON holds; numbers that it has not become null."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, bool):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        # numpy's numbers come this way, too.
        number = float(value)
        return number if math.isfinite(number) else None
    return value
