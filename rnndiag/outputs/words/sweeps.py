"""What the table and Markdown share: which rows stand first, and counts as words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rnndiag import rules
from rnndiag.records import SEVERITIES, Row, Severity, Sweep
from rnndiag.wording import NOTHING, counted, percent

SHOWN = 12
"""Rows that a summary has of each kind; the others are in the file."""
_RULES_SHOWN = 2
HEADS = ("checkpoint", "worst", "layers", "span", "dead", "stuck", "rules")
RULE_HEADS = (*SEVERITIES, "in all", "share")
"""Checkpoints in which that is the worst that a rule has found."""


@dataclass(frozen=True, kw_only=True)
class Frequency:
    """A rule, and in how many checkpoints it found something."""

    code: str
    name: str
    worst: Severity | None
    """None where only rows of earlier versions have it, which do not tell."""
    cells: tuple[str, ...]
    """As `RULE_HEADS` names them; the share is of those that could be diagnosed."""


def summary(sweep: Sweep) -> str:
    """``1,000 checkpoints in 12.4 s``, and how many of them are new."""
    count = len(sweep.rows)
    what = f"{count:,} checkpoint{'s' if count != 1 else ''} in {_duration(sweep.seconds)}"
    new = count - sweep.resumed
    if sweep.resumed:
        return f"{what}: {new:,} measured, {sweep.resumed:,} known from before"
    return f"{what}, {_rate(new / sweep.seconds)}" if sweep.seconds > 0 else what


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def _rate(per_second: float) -> str:
    return f"{per_second:.3g} a second"


def verdict(sweep: Sweep) -> str:
    """How many checkpoints have which severity as their worst, and how many have no report."""
    worst = [row.severity for row in sweep.rows if row.status == "ok" and row.layers]
    parts = [f"{worst.count(own):,} with {_PLURAL[own]}" for own in SEVERITIES if own in worst]
    parts += [f"{worst.count(None):,} without findings"] if None in worst else []
    if empty(sweep):
        parts.append(f"{len(empty(sweep)):,} without a recurrent layer to analyse")
    if failed(sweep):
        parts.append(f"{len(failed(sweep)):,} failed")
    return ", ".join(parts)


_PLURAL: Mapping[Severity, str] = {
    "error": "errors",
    "warning": "warnings at worst",
    "note": "notes at worst",
}


def failed(sweep: Sweep) -> list[Row]:
    """Those that could not be diagnosed, in the order of the files."""
    return [row for row in sweep.rows if row.status != "ok"]


def empty(sweep: Sweep) -> list[Row]:
    """Those in which there is nothing to analyse."""
    return [row for row in sweep.rows if row.status == "ok" and not row.layers]


def worst_first(sweep: Sweep) -> list[Row]:
    """The checkpoints with findings; of those alike the shortest span stands first."""
    found = [row for row in sweep.rows if row.severity is not None]
    return sorted(found, key=_order)


def _order(row: Row) -> tuple[float, ...]:
    counts = [-row.severities.get(own, 0) for own in SEVERITIES]
    span = float("inf") if row.span is None else row.span
    return (*counts, span)


def cells(row: Row) -> tuple[str, ...]:
    """A row's cells behind the name, as `HEADS` names them."""
    return (
        row.severity or NOTHING,
        str(row.layers),
        _span(row),
        percent(row.dead_share),
        percent(row.stuck_share),
        _rules(row.findings),
    )


def _span(row: Row) -> str:
    if row.span is None:
        return NOTHING
    return f"{'≥ ' if row.span_censored else ''}{row.span}"


def _rules(findings: Mapping[str, int]) -> str:
    codes = list(findings)
    more = len(codes) - _RULES_SHOWN
    return " ".join(codes[:_RULES_SHOWN]) + (f" +{more}" if more > 0 else "")


def frequencies(sweep: Sweep) -> list[Frequency]:
    """Every rule that found something, the worst first, and of those alike the most frequent."""
    judged = sum(row.status == "ok" for row in sweep.rows)
    found = []
    for code, counts in sweep.rules.items():
        told = [f"{counts[own]:,}" if counts[own] else NOTHING for own in SEVERITIES]
        worst = next((own for own in SEVERITIES if counts[own]), None)
        cells = (*told, f"{counts.total():,}", percent(counts.total() / judged))
        found.append(Frequency(code=code, name=_name(code), worst=worst, cells=cells))
    return found


def _name(code: str) -> str:
    module = rules.catalogue().get(code)
    return "" if module is None else rules.name_of(module)


def told(row: Row) -> str:
    """Why a checkpoint could not be diagnosed, or had nothing to analyse."""
    message = row.message if row.status in ("ok", "failed") else f"{row.status}: {row.message}"
    return "; ".join(filter(None, (message, row.hint)))


def more(sweep: Sweep, rows: Sequence[Row], shown: int) -> str:
    """``and 988 more in sweep.jsonl``; empty where all are shown."""
    left = len(rows) - shown
    place = f" in {Path(sweep.place).name}" if sweep.place is not None else ""
    return f"and {left:,} more{place}" if left > 0 else ""


def short(path: str, paths: Sequence[str], width: int) -> str:
    """A path without the folder that all have in common, cut in front to fit."""
    name = path[len(common(paths)) :]
    return name if len(name) <= width else f"…{name[len(name) - width + 1 :]}"


def common(paths: Sequence[str]) -> str:
    """The folder, with its slash, that all of several files lie in; empty for none."""
    if len(paths) < 2:
        return ""
    first, last = min(paths), max(paths)
    length = next((k for k, own in enumerate(first) if own != last[k : k + 1]), len(first))
    return first[: first[:length].rfind("/") + 1]


def remarks(sweep: Sweep) -> list[str]:
    """What else is to be said."""
    known = sum(row.known for row in sweep.rows)
    said = [f"{counted(known, 'finding')} known already"] if known else []
    place = [f"all rows: {sweep.place}"] if sweep.place is not None else []
    return [*said, *sweep.notes, *place]
