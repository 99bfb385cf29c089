"""Sweeps as JSON, by ``schema.json`` beside this file; and rows, as ``sweep.jsonl`` has them."""

from __future__ import annotations

import json
from typing import Any

from rnndiag import __version__
from rnndiag.outputs.reports.json import plain
from rnndiag.records import Row, Sweep

SCHEMA_VERSION = 1


def render(sweep: Sweep, *, width: int, color: bool, verbose: bool) -> str:
    """All of it; the terminal's `width`, `color` and `verbose` change nothing."""
    data = {
        "schema_version": SCHEMA_VERSION,
        "rnndiag_version": __version__,
        "exit_code": sweep.exit_code,
        "seconds": sweep.seconds,
        "resumed": sweep.resumed,
        "rules": {code: counts.total() for code, counts in sweep.rules.items()},
        "rows": [row_data(row) for row in sweep.rows],
        "notes": list(sweep.notes),
    }
    return json.dumps(data, indent=2, allow_nan=False) + "\n"


def row_data(row: Row) -> dict[str, Any]:
    """A row as plain data; numbers that JSON has not become null."""
    data: dict[str, Any] = plain(row)
    return data


def row_line(row: Row) -> str:
    """A row in one line, with its end."""
    return json.dumps(row_data(row), allow_nan=False, separators=(",", ":")) + "\n"
