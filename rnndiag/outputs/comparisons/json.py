"""Comparisons as JSON: ``schema_version`` 1, with both reports as they are printed alone."""

from __future__ import annotations

import json
from typing import Any

from rnndiag import __version__
from rnndiag.outputs.reports.json import plain, report_data
from rnndiag.records import Comparison, LayerPair, LayerReport


def render(comparison: Comparison, *, width: int, color: bool, verbose: bool) -> str:
    """All of it; the terminal's `width`, `color` and `verbose` change nothing."""
    return json.dumps(as_data(comparison), indent=2, allow_nan=False) + "\n"


def as_data(comparison: Comparison) -> dict[str, Any]:
    """The comparison as plain data; layers are named, and stand in full in the reports."""
    return {
        "schema_version": comparison.schema_version,
        "rnndiag_version": __version__,
        "exit_code": comparison.exit_code,
        "layers": [_pair(pair) for pair in comparison.pairs],
        "only_before": [_name(layer) for layer in comparison.only_before],
        "only_after": [_name(layer) for layer in comparison.only_after],
        "appeared": plain(comparison.appeared),
        "gone": plain(comparison.gone),
        "first_told": plain(comparison.first_told),
        "no_longer_told": plain(comparison.no_longer_told),
        "regressions": list(comparison.regressions),
        "improvements": list(comparison.improvements),
        "lag": comparison.lag,
        "notes": list(comparison.notes),
        "before": report_data(comparison.before),
        "after": report_data(comparison.after),
    }


def _pair(pair: LayerPair) -> dict[str, Any]:
    return {
        "before": _name(pair.before),
        "after": _name(pair.after),
        "matched_by": pair.matched_by,
        "changes": plain(pair.changes),
    }


def _name(layer: LayerReport) -> dict[str, Any]:
    return {"id": layer.id, "direction": layer.direction, "call": layer.call, "kind": layer.kind}
