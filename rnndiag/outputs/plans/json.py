"""Plans as JSON: ``schema_version`` 1, described by ``schema.json`` beside this file."""

from __future__ import annotations

import json
from typing import Any

from rnndiag.outputs.reports.json import plain
from rnndiag.records.plan import Plan


def render(plan: Plan, *, width: int, color: bool, verbose: bool) -> str:
    """All of it; the terminal's `width`, `color` and `verbose` change nothing."""
    return json.dumps(as_data(plan), indent=2, allow_nan=False) + "\n"


def as_data(plan: Plan) -> dict[str, Any]:
    """The plan as plain data; the version of the schema comes first."""
    return {"schema_version": plan.schema_version, **plain(plan)}
