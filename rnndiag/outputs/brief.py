"""A judged report in a few lines: how much was found, and the worst of it."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from rnndiag.outputs._grid import bullet, printed
from rnndiag.outputs.judged import alike, ordered, summary
from rnndiag.printable import first_of
from rnndiag.records import Outcome, Report
from rnndiag.wording import counted, place

_SHOWN = 5
_PLACES = 3
_STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan"}


def render(report: Report, *, width: int, color: bool) -> str:
    """A line for what it comes to, then one for each of the worst findings."""
    return printed(lambda console: _print(console, report), width=width, color=color)


def _print(console: Console, report: Report) -> None:
    """Errors and warnings have a line each, notes are counted."""
    console.print(Text(summary(Outcome(reports=(report,))), "bold"))
    told = alike(ordered(report))
    worst = [own for own in told if own[0].severity != "note" and not own[0].known][:_SHOWN]
    for found, same in worst:
        where = first_of((place(own) or "network" for own in same), _PLACES)
        text = f"{found.severity} {found.rule} {found.name}, {where}: {found.message}"
        console.print(bullet(text, _STYLES[found.severity]))
    rest = len(told) - len(worst)
    if worst and rest:
        console.print(bullet(f"{counted(rest, 'more finding')} on the page"))
