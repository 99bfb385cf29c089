"""Sweeps as CSV: a line for each checkpoint, as ``sweep.csv`` has them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

from rnndiag.outputs.sweeps.json import row_data
from rnndiag.printable import one_line
from rnndiag.records import SEVERITIES, Sweep

COLUMNS = (
    "path",
    "status",
    "exit_code",
    "seconds",
    "format",
    "parameters",
    "layers",
    "severity",
    "errors",
    "warnings",
    "notes",
    "known",
    "rules",
    "layer",
    "direction",
    "span",
    "span_censored",
    "timesteps",
    "dead_share",
    "stuck_share",
    "bytes",
    "sha256",
    "message",
    "hint",
)
"""An empty cell is what is not known; ``rules`` has codes with how often: ``RNN101:2 RNN410:1``."""


def render(sweep: Sweep, *, width: int, color: bool, verbose: bool) -> str:
    """All rows, with a heading; the terminal's `width`, `color` and `verbose` change nothing."""
    return lines(row_data(row) for row in sweep.rows)


def lines(rows: Iterable[Mapping[str, Any]], *, heading: bool = True) -> str:
    """Rows, as `row_data` gives them, as CSV."""
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n", extrasaction="ignore")
    if heading:
        table.writeheader()
    table.writerows(map(_cells, rows))
    return text.getvalue()


def _cells(row: Mapping[str, Any]) -> dict[str, str]:
    counts = row.get("severities") or {}
    rules = row.get("findings") or {}
    told = {
        **row,
        **{f"{own}s": counts.get(own, 0) for own in SEVERITIES},
        "rules": " ".join(f"{rule}:{count}" for rule, count in rules.items()),
        "bytes": (row.get("stamp") or {}).get("bytes"),
    }
    if row.get("status") != "ok":
        told.update(dict.fromkeys((*(f"{own}s" for own in SEVERITIES), "layers", "known")))
    return {name: _cell(told.get(name)) for name in COLUMNS}


def _cell(value: Any) -> str:
    """As many digits as are the same on every machine."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6g}" if isinstance(value, float) else one_line(str(value))
