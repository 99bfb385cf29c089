"""The report as JSON: ``schema_version`` 1, described by ``schema.json`` beside this file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from rnndiag.records import LayerReport, Report, Skipped


def render(report: Report, *, width: int, color: bool, verbose: bool) -> str:
    """The whole report; the terminal's `width`, `color` and `verbose` change nothing in it."""
    return json.dumps(as_data(report), indent=2, allow_nan=False) + "\n"


def as_data(report: Report) -> dict[str, Any]:
    """The report as plain data; numbers that JSON has not become null."""
    data = {"schema_version": report.schema_version, **_plain(report)}
    data["layers"] = [_layer(layer) for layer in report.layers]
    data["findings"] = []
    data["passed"] = []
    data["skipped"] = [
        {"layer": layer.name, "measurement": name, "reason": fact.reason}
        for layer in report.layers
        for name, fact in layer.measurements.items()
        if isinstance(fact, Skipped)
    ] + [
        {"layer": layer.name, "reason": layer.reason}
        for layer in report.layers
        if not layer.analysed
    ]
    return data


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
