"""GitLab's Code Quality report: a list of issues in the terms of Code Climate.

GitLab compares the fingerprints of two branches, so they hold no measured value: a finding
that is there before and after a merge request is not shown as new.
"""

from __future__ import annotations

from pathlib import Path

from rnndiag.outputs.judged import (
    Trouble,
    all_troubles,
    dumps,
    fingerprint,
    ordered,
    sentence,
    where,
)
from rnndiag.records import Finding, Outcome, Severity

Issue = dict[str, object]

_SEVERITIES: dict[Severity, str] = {"error": "critical", "warning": "minor", "note": "info"}


def render(outcome: Outcome, *, width: int, color: bool, verbose: bool) -> str:
    """The issues of all checkpoints; what could not be judged is an issue as well."""
    issues = [_trouble(trouble) for trouble in all_troubles(outcome)]
    for report in outcome.reports:
        issues += [_finding(finding, report.checkpoint.path) for finding in ordered(report)]
    return dumps(issues)


def _trouble(trouble: Trouble) -> Issue:
    text, severity = f"{trouble.where}: {trouble.message}", _SEVERITIES[trouble.severity]
    place = f"{trouble.where} {trouble.rule}" if trouble.rule else trouble.where
    if trouble.kind == "conflicting-settings":
        place = trouble.message  # All of them are about the network; the text tells them apart.
    return _issue(trouble.kind, trouble.path, place, text, severity)


def _finding(finding: Finding, path: str) -> Issue:
    severity = "info" if finding.known else _SEVERITIES[finding.severity]
    text = f"{finding.rule} {finding.name}: {sentence(finding)}"
    return _issue(finding.name, path, where(finding), text, severity)


def _issue(check: str, path: str, place: str, text: str, severity: str) -> Issue:
    return {
        "description": text,
        "check_name": check,
        "fingerprint": fingerprint(path, check, place),
        "severity": severity,
        "location": {"path": Path(path).as_posix(), "lines": {"begin": 1}},
    }
