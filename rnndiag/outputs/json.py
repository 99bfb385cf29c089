"""The report as JSON: ``schema_version`` 1, described by ``schema.json`` beside this file."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from rnndiag.records import Failed, LayerReport, Report, Skipped


def render(report: Report, *, width: int, color: bool, verbose: bool) -> str:
    """The whole report; the terminal's `width`, `color` and `verbose` change nothing in it."""
    return json.dumps(as_data(report), indent=2, allow_nan=False) + "\n"


def as_data(report: Report) -> dict[str, Any]:
    """The report as plain data; numbers that JSON has not become null."""
    data = {"schema_version": report.schema_version, **_plain(report)}
    data["layers"] = [_layer(layer) for layer in report.layers]
    data["findings"] = []
    data["passed"] = []
    data["skipped"] = [item for layer in report.layers for item in _skipped(layer)]
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
    data: dict[str, Any] = _plain(layer)
    measured = layer.measurements.items()
    data["measurements"] = {
        name: None if isinstance(fact, Skipped) else _plain(fact) for name, fact in measured
    }
    return data


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
