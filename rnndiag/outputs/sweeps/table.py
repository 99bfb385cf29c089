"""The sweep for a person: the worst checkpoints, how often each rule found something, failures."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from rnndiag.outputs._grid import bullet, grid, printed
from rnndiag.outputs.words import sweeps as words
from rnndiag.printable import one_line
from rnndiag.records import Row, Sweep

_STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan"}
_LEAST = 16
_BESIDE = 59
"""Columns that the cells beside a name take at most."""


def render(sweep: Sweep, *, width: int, color: bool, verbose: bool) -> str:
    """The worst rows and the failed ones; with `verbose` all of them."""
    return printed(lambda console: _print(console, sweep, verbose), width=width, color=color)


def _print(console: Console, sweep: Sweep, verbose: bool) -> None:
    folder = words.common([row.path for row in sweep.rows])
    if folder:
        console.print(Text(folder, style="bold"))
    console.print(words.summary(sweep))
    console.print()
    most = len(sweep.rows) if verbose else words.SHOWN
    _print_worst(console, sweep, most)
    _print_rules(console, sweep, most)
    _print_told(console, sweep, words.failed(sweep), "failed", most)
    _print_told(console, sweep, words.empty(sweep), "nothing to analyse", most)
    for remark in words.remarks(sweep):
        console.print(bullet(remark))
    console.print(Text(words.verdict(sweep), style="" if sweep.exit_code else "green"))


def _print_worst(console: Console, sweep: Sweep, most: int) -> None:
    rows = words.worst_first(sweep)
    if not rows:
        return
    paths = [row.path for row in sweep.rows]
    table = grid(*words.HEADS)
    table.columns[1].justify = table.columns[-1].justify = "left"
    for row in rows[:most]:
        name = words.short(one_line(row.path), paths, max(_LEAST, console.width - _BESIDE))
        severity, *others = words.cells(row)
        table.add_row(name, Text(severity, style=_STYLES[severity]), *others)
    console.print(table)
    _print_more(console, words.more(sweep, rows, most))
    console.print()


def _print_rules(console: Console, sweep: Sweep, most: int) -> None:
    found = words.frequencies(sweep)
    if not found:
        return
    table = grid("rule", "", *words.RULE_HEADS, texts=2)
    for own in found[:most]:
        table.add_row(Text(own.code, style=_STYLES.get(own.worst or "", "")), own.name, *own.cells)
    console.print(table)
    if len(found) > most:
        console.print(f"and {len(found) - most} more: -v")
    console.print()


def _print_told(console: Console, sweep: Sweep, rows: Sequence[Row], title: str, most: int) -> None:
    """Checkpoints without numbers, and why they have none."""
    if not rows:
        return
    paths = [row.path for row in sweep.rows]
    console.print(Text(f"{title}: {len(rows):,}", style="bold"))
    for row in rows[:most]:
        name = words.short(one_line(row.path), paths, console.width)
        console.print(bullet(f"{name}: {one_line(words.told(row))}"))
    _print_more(console, words.more(sweep, rows, most))
    console.print()


def _print_more(console: Console, text: str) -> None:
    if text:
        console.print(text)
