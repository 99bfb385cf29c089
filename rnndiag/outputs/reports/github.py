"""Annotations on GitHub: one workflow command for each finding, printed to a job's log.

The syntax is that of "Workflow commands for GitHub Actions": what has a meaning there is
written as percent code, so that no name in a checkpoint can become a command of its own.
"""

from __future__ import annotations

from collections.abc import Mapping

from rnndiag.outputs.judged import (
    Trouble,
    all_troubles,
    judgement,
    sentence,
    summary,
    urgency,
)
from rnndiag.printable import printable
from rnndiag.records import Finding, Outcome, Severity

Codes = Mapping[int, str]

_COMMANDS: dict[Severity, str] = {"error": "error", "warning": "warning", "note": "notice"}
_IN_DATA: Codes = {ord("%"): "%25", ord("\r"): "%0D", ord("\n"): "%0A"}
_IN_PROPERTY: Codes = {**_IN_DATA, ord(":"): "%3A", ord(","): "%2C"}


def render(outcome: Outcome, *, width: int, color: bool, verbose: bool) -> str:
    """A command for each trouble and each finding, and a line for whoever reads the log."""
    found = [
        (finding, report.checkpoint.path)
        for report in outcome.reports
        for finding in judgement(report).findings
    ]
    # GitHub shows ten annotations of each kind a step: the most urgent of all files go first.
    found.sort(key=lambda pair: urgency(pair[0]))
    commands = [
        *(_trouble(trouble) for trouble in all_troubles(outcome)),
        *(_finding(finding, path) for finding, path in found),
    ]
    return "".join(f"{line}\n" for line in (*commands, f"rnndiag: {summary(outcome)}"))


def _trouble(trouble: Trouble) -> str:
    message = f"{trouble.where}: {trouble.message}"
    return _command(_COMMANDS[trouble.severity], trouble.path, trouble.kind, message)


def _finding(finding: Finding, path: str) -> str:
    command = "notice" if finding.known else _COMMANDS[finding.severity]
    title = f"{finding.rule} {finding.name}"
    return _command(command, path, title, "\n".join((sentence(finding), *_first(finding))))


def _first(finding: Finding) -> list[str]:
    """The first step to try; an annotation has no room for lines to paste."""
    return [f"Try first: {step.text} [{step.source}]" for step in finding.advice[:1]]


def _command(name: str, path: str, title: str, message: str) -> str:
    properties = f"file={_escaped(path, _IN_PROPERTY)},title={_escaped(title, _IN_PROPERTY)}"
    return f"::{name} {properties}::{_escaped(message, _IN_DATA)}"


def _escaped(text: str, codes: Codes) -> str:
    return printable(text).translate(codes)
