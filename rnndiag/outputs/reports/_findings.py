"""The judgement as tables: findings first, then what to do about the first of them."""

from __future__ import annotations

import os
from pathlib import Path
from textwrap import indent

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rnndiag.outputs._grid import bullet, grid, grouped
from rnndiag.outputs.judged import alike
from rnndiag.outputs.reports._head import print_coverage
from rnndiag.records import SEVERITIES, Finding, Judgement, NotJudged, Report
from rnndiag.wording import counted, place

_STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan"}
_PLACES = 4
"""Layers that one row names."""
_ADVISED = 3
"""Rules whose advice is printed without ``--verbose``."""


def print_judgement(console: Console, report: Report, verbose: bool) -> None:
    """What the rules found, what to try, and what they could not say."""
    judgement = report.judgement
    assert judgement is not None
    if judgement.findings:
        console.print(_table(judgement.findings))
        console.print()
    _print_advice(console, judgement.findings, verbose)
    _print_counts(console, judgement, verbose)
    print_coverage(console, report)
    for note in (*(report.settings.conflicts if report.settings else ()), *report.notes):
        console.print(bullet(note))
    if report.probe.source == "synthetic" and any(layer.analysed for layer in report.layers):
        console.print(bullet("synthetic probe: what depends on data is no error; --probe FILE"))


def _table(findings: tuple[Finding, ...]) -> Table:
    """A row for each finding; layers of which a rule says the same share one."""
    table = grid("severity", "sure", "rule", "where", "what", texts=5)
    table.columns[2].no_wrap = True
    for found, same in alike(findings):
        severity = Text(found.severity, "dim" if found.known else _STYLES[found.severity])
        what = Text.assemble((found.name, "bold"), f": {found.message}")
        if found.capped:
            what.append(f" ({found.capped})", "dim")
        if found.known:
            what.append(" (known: in the baseline)", "dim")
        places = _listed([place(own) for own in same])
        table.add_row(severity, found.confidence, found.rule, places, what)
    return table


def _listed(places: list[str]) -> str:
    """A line for each place; many are cut short, ``--verbose`` and JSON have them all."""
    more = f"\nand {len(places) - _PLACES} more" if len(places) > _PLACES + 1 else ""
    return "\n".join(places[:_PLACES] if more else places) + more


def _print_advice(console: Console, findings: tuple[Finding, ...], verbose: bool) -> None:
    """For each rule what to try; with `verbose` for each layer, else for the first one."""
    by_rule: dict[str, list[Finding]] = {}
    for found in findings:
        by_rule.setdefault(found.rule, []).append(found)
    shown = list(by_rule.values())
    pasted: dict[str, str] = {}
    for group in shown if verbose else shown[:_ADVISED]:
        for found in group if verbose else group[:1]:
            _print_steps(console, found, pasted, verbose)
        others = [place(other) for other in group[1:]]
        if others and not verbose:
            console.print(Text(f"   -v: the same for {', '.join(others)}", "dim"))
        console.print()
    left = max(0, len(shown) - _ADVISED)
    if findings and not verbose:
        more = f" and advice on {counted(left, 'more rule')}" if left else ""
        console.print(Text(f"-v: the lines to paste for every step{more}", "dim"))
    if findings:
        why = f"rnndiag explain {findings[0].rule}: why, and what documents A and B are"
        console.print(Text(why, "dim"))


def _print_steps(console: Console, found: Finding, pasted: dict[str, str], verbose: bool) -> None:
    """Every step, with the lines to paste; without `verbose` only those of a fault's first step.

    `pasted` has the lines that stand above already, and where: they are not repeated.
    """
    where = place(found)
    heading = f"{found.rule} {found.name}" + (f", {where}" if where else "")
    console.print(Text(heading, _STYLES[found.severity]))
    if verbose and found.doubt:
        console.print(Text(f" {found.confidence} confidence: {found.doubt}", "dim"))
    snippets = [advice.snippet for advice in found.advice if advice.snippet]
    shown = snippets if verbose else snippets[: found.severity != "note"]
    for number, advice in enumerate(found.advice, 1):
        row = Table.grid(padding=(0, 1))
        row.add_row(f"{number}.", Text.assemble(advice.text, (f"  [{advice.source}]", "dim")))
        console.print(Padding(row, (0, 0, 0, 1)))
        if advice.snippet not in shown:
            continue
        if advice.snippet in pasted:
            console.print(Text(f"    # the lines of {pasted[advice.snippet]}, above", "dim"))
            continue
        pasted[advice.snippet] = heading
        # Code is never broken: a line that wraps cannot be pasted.
        console.print(Text(indent(advice.snippet, " " * 4), "green"), soft_wrap=True)


def _print_counts(console: Console, judgement: Judgement, verbose: bool) -> None:
    """How much was asked; with `verbose` what passed and what was skipped, and why."""
    findings = judgement.findings
    counts = ", ".join(
        counted(count, severity)
        for severity in _STYLES
        if (count := sum(f.severity == severity and not f.known for f in findings))
    )
    known = sum(found.known for found in findings)
    if known:
        counts += f"{', ' if counts else ''}{known} known"
    broken = sum(item.error for item in judgement.skipped)
    skipped = len({item.rule for item in judgement.skipped})
    passed = len({item.rule for item in judgement.passed})
    hint = "" if verbose else " (-v lists them)"
    text = f"{counts or 'no findings'}; {counted(passed, 'rule')} passed, {skipped} skipped{hint}"
    console.print(Text(text, "bold"))
    if broken:
        console.print(bullet(f"{counted(broken, 'rule')} broke: please report it", "red"))
    if verbose:
        _print_rest(console, judgement)


def _print_rest(console: Console, judgement: Judgement) -> None:
    table = grid("skipped", "where", "because", texts=3)
    reasons = grouped(((_rule(item), item.reason), place(item)) for item in judgement.skipped)
    for (rule, reason), places in reasons.items():
        table.add_row(rule, ", ".join(filter(None, places)), reason)
    if table.row_count:
        console.print()
        console.print(table)
    passed = grouped((item.rule, place(item)) for item in judgement.passed)
    if passed:
        console.print()
        console.print(f"passed: {', '.join(passed)}")
    console.print()


def _rule(item: NotJudged) -> str:
    return f"{item.rule} {item.name}"


def print_summary(console: Console, reports: tuple[Report, ...]) -> None:
    """Below several checkpoints: what each of them came to."""
    console.rule(style="dim")
    paths = [report.checkpoint.path for report in reports]
    # What all of them begin with tells none from the other.
    shared = len(os.path.commonpath(paths)) + 1 if _in_one_folder(paths) else 0
    table = grid("checkpoint", *SEVERITIES, "status", "first")
    for column in table.columns:
        column.no_wrap = False
    table.columns[-1].justify = "left"
    for report, path in zip(reports, paths, strict=True):
        findings = report.judgement.findings if report.judgement else ()
        own = [found for found in findings if not found.known]
        counts = [str(sum(found.severity == severity for found in own)) for severity in SEVERITIES]
        first = own[0].rule if own else ""
        table.add_row(path[shared:], *counts, str(report.exit_code), first)
    console.print(table)


def _in_one_folder(paths: list[str]) -> bool:
    """Whether they have a folder in common, and are no mixture of absolute and relative ones."""
    absolute = {Path(path).is_absolute() for path in paths}
    return len(absolute) == 1 and len(set(paths)) > 1 and bool(os.path.commonpath(paths))
