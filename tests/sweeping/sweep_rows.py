"""Rows of sweeps, made up by hand."""

from __future__ import annotations

from typing import Any

from rnndiag.records import Row, Stamp, Sweep

STAMP = Stamp(version="1", options="0", bytes=1000, modified="5")


def row(path: str, **changes: Any) -> Row:
    """A checkpoint with one layer and no findings."""
    fields = {
        "status": "ok",
        "exit_code": 0,
        "seconds": 0.25,
        "stamp": STAMP,
        "sha256": "ab",
        "format": "torch-zip",
        "parameters": 100,
        "layers": 1,
        "layer": "lstm",
        "direction": "forward",
        "span": 12,
        "span_censored": False,
        "timesteps": 100,
        "dead_share": 0.125,
        "stuck_share": 0.0,
        **changes,
    }
    return Row(path=path, **fields)


def found(path: str, severity: str, *rules: str, **changes: Any) -> Row:
    """One with a finding of each of the rules, all of them of one severity."""
    told = {"severity": severity, "findings": dict.fromkeys(rules, 1)}
    told["worst"] = dict.fromkeys(rules, severity)
    counts = {"severities": {severity: len(rules)}, "exit_code": int(severity == "error")}
    return row(path, **{**told, **counts, **changes})


def lost(path: str, status: str = "failed", message: str = "damaged", hint: str = "") -> Row:
    """One that could not be diagnosed."""
    stamp = Stamp(version="1", options="0")
    return Row(
        path=path,
        status=status,  # type: ignore[arg-type]
        exit_code=2,
        seconds=0.5,
        stamp=stamp,
        message=message,
        hint=hint,
    )


def sweep(*rows: Row, **changes: Any) -> Sweep:
    return Sweep(rows=rows, **{"seconds": 2.0, "place": "out/sweep.jsonl", **changes})
