"""Sweeps as JSON, by ``schema.json`` beside this file; and rows, as ``sweep.jsonl`` has them."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from rnndiag import __version__
from rnndiag.outputs.reports.json import plain
from rnndiag.records import SEVERITIES, Row, Severity, Sweep

SCHEMA_VERSION = 1


def render(sweep: Sweep, *, width: int, color: bool, verbose: bool) -> str:
    """All of it; the terminal's `width`, `color` and `verbose` change nothing."""
    data = {
        "schema_version": SCHEMA_VERSION,
        "rnndiag_version": __version__,
        "exit_code": sweep.exit_code,
        "seconds": sweep.seconds,
        "resumed": sweep.resumed,
        "rules": rules(sweep),
        "rows": [row_data(row) for row in sweep.rows],
        "notes": list(sweep.notes),
    }
    return json.dumps(data, indent=2, allow_nan=False) + "\n"


def rules(sweep: Sweep) -> dict[str, int]:
    """In how many checkpoints each rule has found something: the worst first, then the frequent."""
    counts = Counter(rule for row in sweep.rows for rule in row.findings)
    told = worst(sweep)
    return dict(sorted(counts.items(), key=lambda own: (_rank(told.get(own[0])), -own[1], own[0])))


def worst(sweep: Sweep) -> dict[str, Severity]:
    """The worst severity of each rule's findings; rows of earlier versions tell of none."""
    told = [own for row in sweep.rows for own in row.worst.items()]
    return dict(sorted(told, key=lambda own: _rank(own[1]), reverse=True))


def _rank(severity: Severity | None) -> int:
    return len(SEVERITIES) if severity is None else SEVERITIES.index(severity)


def row_data(row: Row) -> dict[str, Any]:
    """A row as plain data; numbers that JSON has not become null."""
    data: dict[str, Any] = plain(row)
    return data


def row_line(row: Row) -> str:
    """A row in one line, with its end."""
    return json.dumps(row_data(row), allow_nan=False, separators=(",", ":")) + "\n"
