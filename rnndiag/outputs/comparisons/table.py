"""The comparison for a person: what got worse, what changed, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rnndiag.outputs._grid import bullet, grid, printed
from rnndiag.outputs.words import comparisons as words
from rnndiag.records import Change, Comparison, Finding, LayerPair, Report
from rnndiag.wording import counted, place, title

_STYLES = {
    "worse": "bold red",
    "better": "green",
    "changed": "yellow",
    "same": "dim",
    "unknown": "dim",
}
_SHARE_OF_CHANGE = 0.005
"""A relative change of less is shown as none."""


def render(comparison: Comparison, *, width: int, color: bool, verbose: bool) -> str:
    """What changed by more than its tolerance; with `verbose` all that was compared."""
    return printed(lambda console: _print(console, comparison, verbose), width=width, color=color)


def _print(console: Console, comparison: Comparison, verbose: bool) -> None:
    for name, report in (("before", comparison.before), ("after", comparison.after)):
        console.print(Text.assemble((f"{name:<7}", "dim"), (report.checkpoint.path, "bold")))
        console.print(f"       {_about(report)}")
    console.print()
    for pair in comparison.pairs:
        _print_pair(console, pair, verbose)
    for heading, findings in words.by_fate(comparison):
        _print_findings(console, heading, findings)
    _print_verdict(console, comparison)


def _about(report: Report) -> str:
    framework = {"keras": "Keras", "torch": "PyTorch"}[report.checkpoint.framework]
    found = len(report.judgement.findings) if report.judgement else 0
    return f"{framework}, {report.checkpoint.parameters:,} parameters, {counted(found, 'finding')}"


# ---------------------------------------------------------------- one layer


def _print_pair(console: Console, pair: LayerPair, verbose: bool) -> None:
    names = title(pair.before), title(pair.after)
    heading = names[0] if names[0] == names[1] else f"{names[0]}, now {names[1]}"
    console.print(Text(f"{heading}  {pair.after.kind} {pair.after.hidden_size}", style="bold"))
    shown = [own for own in pair.changes if verbose or own.verdict in words.OF_NOTE]
    lacking = words.missing(pair)
    if shown:
        console.print(_table(shown))
    elif not lacking:
        console.print("nothing changed by more than its tolerance")
    for sentence in lacking:
        console.print(bullet(sentence, "yellow"))
    console.print()


def _table(changes: Sequence[Change]) -> Table:
    table = grid("", "before", "after", "change", "", texts=1)
    table.columns[-1].justify = "left"
    for change in changes:
        unit = f" ({change.unit})" if change.unit not in ("", "share") else ""
        table.add_row(
            f"{change.label}{unit}",
            words.before(change),
            words.after(change),
            _change(change),
            Text(change.verdict, _STYLES[change.verdict]),
        )
    return table


def _change(change: Change) -> str:
    """Times for what is measured by its ratio, points for shares, else the difference."""
    before, after = change.before, change.after
    if before is None or after is None:
        return ""
    if change.unit == "share":
        return f"{100 * (after - before):+.0f} points"
    if change.relative and before > 0 and after > 0:
        return f"× {after / before:.2f}" if abs(after / before - 1) > _SHARE_OF_CHANGE else ""
    return f"{after - before:+.3g}" if after != before else ""


# ---------------------------------------------------------------- findings, and the verdict


def _print_findings(console: Console, heading: str, findings: Sequence[Finding]) -> None:
    console.print(Text(heading, style="bold"))
    for found in findings:
        where = place(found) or "network"
        told = f"{found.severity} {found.rule} {found.name}, {where}: {found.message}"
        console.print(bullet(told, _SEVERITIES[found.severity]))
    console.print()


_SEVERITIES = {"error": "bold red", "warning": "yellow", "note": "cyan"}


def _print_verdict(console: Console, comparison: Comparison) -> None:
    for when, layers in (("before", comparison.only_before), ("after", comparison.only_after)):
        if layers:
            names = ", ".join(title(layer) for layer in layers)
            console.print(bullet(f"only {when}: {names}", "yellow"))
    for note in comparison.notes:
        console.print(bullet(note))
    worse = comparison.regressions
    style = "green" if comparison.pairs and not worse else "bold red"
    console.print(Text(words.verdict(comparison), style))
    for sentence in worse:
        console.print(bullet(sentence, "red"))
    for sentence in comparison.improvements:
        console.print(bullet(f"better: {sentence}", "green"))
