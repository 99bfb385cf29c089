"""The course for a person: each layer's numbers from the first checkpoint to the last."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rnndiag.outputs._grid import bullet, grid, printed
from rnndiag.outputs.words import courses as words
from rnndiag.records import Course, LayerCourse
from rnndiag.wording import bars, counted, place, title

_SEVERITIES = {"error": "bold red", "warning": "yellow", "note": "cyan"}
_CELLS = 24
"""Cells of a sparkline; a run with more checkpoints has several in one."""


def render(course: Course, *, width: int, color: bool, verbose: bool) -> str:
    """Layers, findings and gaps; with `verbose` all findings, and what came and went when."""
    return printed(lambda console: _print(console, course, verbose), width=width, color=color)


def _print(console: Console, course: Course, verbose: bool) -> None:
    console.print(Text(words.folder(course), style="bold"))
    console.print(words.extent(course))
    console.print()
    for layer in course.layers:
        _print_layer(console, course, layer)
    _print_findings(console, course, verbose)
    if verbose:
        _print_changes(console, course)
    for note in (*words.left_out(course.gaps), *course.notes):
        console.print(bullet(note))


# ---------------------------------------------------------------- one layer


def _print_layer(console: Console, course: Course, own: LayerCourse) -> None:
    layer = own.layer
    cell = f"  {layer.kind} {layer.hidden_size}" if layer.kind else ""
    console.print(Text(f"{title(layer)}{cell}", style="bold"))
    rows = list(words.rows(course, own))
    # A share that is 0 at every checkpoint needs no line of its own.
    empty = [row for row in rows if not any(row.values) and row.limits == words.SHARE]
    console.print(_table(course, [row for row in rows if row not in empty]))
    if empty:
        console.print(f"never any: {', '.join(row.label for row in empty)}")
    console.print()


def _table(course: Course, rows: Sequence[words.Row]) -> Table:
    table = grid("", "first", "course", "last", "growth", f"per {words.per(course)[1]}", texts=1)
    table.columns[2].justify = "left"
    for row in rows:
        drawn = bars(row.values, *row.limits, _CELLS)
        table.add_row(row.label, row.first, drawn, row.last, row.change, row.rate)
    return table


# ---------------------------------------------------------------- findings


def _print_findings(console: Console, course: Course, verbose: bool) -> None:
    """Those of the last checkpoint, with the one from which on they held."""
    shown = course.findings if verbose else words.weighty(course)
    for own in shown:
        since = words.since(course, own)
        where = ", ".join(filter(None, (place(own.finding) or "network", since)))
        text = f"{words.told(own.finding)}, {where}: {own.finding.message}"
        console.print(bullet(text, _SEVERITIES[own.finding.severity]))
    for sentence in words.regressions(course):
        console.print(bullet(sentence, "red"))
    rest = len(course.findings) - len(shown)
    if rest:
        console.print(bullet(f"{counted(rest, 'more note')}: -v"))
    verdict = f"{words.summary(course)} at the last checkpoint"
    console.print(Text(verdict, style="" if course.findings else "green"))


def _print_changes(console: Console, course: Course) -> None:
    """What came and went from one checkpoint to the next."""
    changes = list(words.changes(course))
    if changes:
        console.print()
        console.print(Text("findings over the run", style="bold"))
    for change in changes:
        console.print(bullet(change))
