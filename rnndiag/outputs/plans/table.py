"""The plan for a person: what to try in which order, and what to search."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from textwrap import indent

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rnndiag.outputs._grid import bullet, grid, grouped, printed
from rnndiag.outputs.plans._words import FRAMEWORKS, asked_by, extent, least, value
from rnndiag.records.plan import Best, Plan, Step, Unsearched
from rnndiag.wording import number, plain

_HEADINGS: Mapping[str, str] = {
    "repair": "First repair",
    "try": "Then try, one at a time, and keep what validates better",
    "last": "Last of all",
}
_KEPT = "the lines of a step keep what the steps before it set: leave out what did not help"


def render(plan: Plan, *, width: int, color: bool, verbose: bool) -> str:
    """Steps and search space; with `verbose` also the findings' numbers and the lines to paste."""
    return printed(lambda console: _print(console, plan, verbose), width=width, color=color)


def _print(console: Console, plan: Plan, verbose: bool) -> None:
    _print_head(console, plan)
    _print_steps(console, plan.steps, verbose)
    if plan.steps:
        _print_space(console, plan)
    _print_rest(console, plan, verbose)


def _print_head(console: Console, plan: Plan) -> None:
    console.print(Text(plan.checkpoint, style="bold"))
    console.print(f"{FRAMEWORKS[plan.framework]}: {plan.summary}")
    if plan.best is not None:
        console.print(f"best trial: {_best(plan.best)}")
    if plan.steps or plan.notes:
        console.print()


def _best(best: Best) -> str:
    metric = "diverged" if best.value is None else number(best.value, 4)
    settings = ", ".join(f"{name} {plain(own)}" for name, own in best.settings.items())
    return f"{best.metric} {metric}" + (f" with {settings}" if settings else "")


# ---------------------------------------------------------------- steps


def _print_steps(console: Console, steps: Iterable[Step], verbose: bool) -> None:
    heading = ""
    for place, step in enumerate(steps, 1):
        if _HEADINGS[step.kind] != heading:
            heading = _HEADINGS[step.kind]
            console.print(Text(heading, "bold"))
            if verbose and step.kind == "try":
                console.print(Text(f" {_KEPT}", "dim"))
        row = Table.grid(padding=(0, 1))
        row.add_column(justify="right", width=3)
        row.add_row(f"{place}.", _told(step))
        console.print(row)
        if verbose:
            _print_reasons(console, step)
    if heading:
        console.print()


def _told(step: Step) -> Text:
    asked = asked_by(step)
    behind = f"  [{step.source}{f'; {asked}' if asked else ''}]"
    told = Text.assemble((step.setting, "bold cyan"), f": {step.text}", (behind, "dim"))
    if step.watch:
        told.append(f"\nwatch: {step.watch}", "dim")
    return told


def _print_reasons(console: Console, step: Step) -> None:
    """Each finding's message once, with its layers, and the lines to paste."""
    alike = grouped((f"{own.rule}: {own.message}", own.layer or "") for own in step.reasons)
    for message, layers in alike.items():
        where = ", ".join(dict.fromkeys(layer for layer in layers if layer))
        told = f"{message} ({where})" if where else message
        console.print(Padding(Text(told, "dim"), (0, 0, 0, 4)))
    if step.snippet:
        # No padding: the lines are to be pasted, whatever the width.
        console.print(Text(indent(step.snippet, " " * 6), "green"), soft_wrap=True)


# ---------------------------------------------------------------- the search


def _print_space(console: Console, plan: Plan) -> None:
    if not plan.space:
        console.print(Text("Nothing is worth a search yet", "bold"))
        console.print()
        return
    console.print(Text("Or search all of these together (--format optuna)", "bold"))
    table = grid("setting", "range", "begin with", "because", texts=4)
    for own in plan.space:
        ladder = ", ".join(map(value, own.ladder))
        table.add_row(Text(own.name, "cyan"), extent(own), ladder, own.why)
    console.print(table)
    for tied in plan.tied:
        told = Text.assemble((tied.name, "cyan"), f" = {least(tied)}: {tied.why}")
        console.print(Padding(told, (0, 0, 0, 2)))
    console.print()


def _print_rest(console: Console, plan: Plan, verbose: bool) -> None:
    """What is not searched, what was not followed, and what would make the plan surer."""
    left = [
        Text.assemble((", ".join(names), "cyan"), f": {why}", (f"  [{source}]", "dim"))
        for (why, source), names in _alike(plan.unsearched if plan.space else ()).items()
    ]
    against = [
        Text(f"{own.setting}: {own.taken}, not {own.left}: {own.why}") for own in plan.conflicts
    ]
    _print_list(console, "Not searched", left)
    _print_list(console, "Where findings disagree", against)
    for note in plan.notes:
        console.print(bullet(note))
    if plan.steps and not verbose:
        console.print(Text("-v: the findings behind each step, and the lines to paste", "dim"))


def _print_list(console: Console, heading: str, told: Sequence[Text]) -> None:
    if not told:
        return
    console.print(Text(heading, "bold"))
    for text in told:
        console.print(Padding(text, (0, 0, 0, 2)))
    console.print()


def _alike(unsearched: Iterable[Unsearched]) -> dict[tuple[str, str], list[str]]:
    return grouped(((own.why, own.source), own.setting) for own in unsearched)
