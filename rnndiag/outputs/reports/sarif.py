"""SARIF 2.1.0 (OASIS): one run, in which every rule that was asked explains itself.

Checkpoints are the artifacts. They have no lines, so a layer and direction is a logical
location, and the line is always the first: GitHub shows no result without one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rnndiag import __version__, rule_docs, rules
from rnndiag.outputs.judged import (
    NETWORK,
    Trouble,
    all_troubles,
    answers,
    dumps,
    fingerprint,
    judgement,
    ordered,
    sentence,
    where,
)
from rnndiag.records import Advice, Finding, NotJudged, Outcome, Report
from rnndiag.rules.base import Rule

Data = dict[str, Any]

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_DESCRIBED = ("What it means", "Why it matters")
"""The headings that make up a rule's full description; its help has all of them."""


def render(outcome: Outcome, *, width: int, color: bool, verbose: bool) -> str:
    """One log with one run; `verbose` adds the rules that were skipped, and why."""
    asked = _asked(outcome)
    places = {code: index for index, code in enumerate(asked)}
    driver = {
        "name": "rnndiag",
        "version": __version__,
        "semanticVersion": __version__,
        "rules": [_rule(code, name) for code, name in asked.items()],
    }
    run = {
        "tool": {"driver": driver},
        "invocations": [_invocation(outcome, places)],
        "artifacts": _artifacts(outcome),
        "results": _results(outcome, places, verbose),
    }
    return dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]})


def _asked(outcome: Outcome) -> dict[str, str]:
    """Every rule that was asked, its name by its code."""
    given = [answer for report in outcome.reports for answer in answers(report)]
    return dict(sorted((answer.rule, answer.name) for answer in given))


# ---------------------------------------------------------------- rules


def _rule(code: str, name: str) -> Data:
    """A rule from its docstring; a report of another version may have a rule that is no more."""
    module = rules.catalogue().get(code)
    if module is None:
        return {"id": code, "name": name}
    rule: Rule = module.RULE
    doc = rule_docs.of(module)
    described = "\n\n".join(doc.sections[heading].strip() for heading in _DESCRIBED)
    return {
        "id": code,
        "name": name,
        "shortDescription": {"text": f"{doc.summary}."},
        "fullDescription": {"text": described},
        "help": {"text": _help(doc.sections, ""), "markdown": _help(doc.sections, "## ")},
        "defaultConfiguration": {"level": rule.severity},
        "properties": {"tags": ["rnn", rule.family], "family": rule.family},
    }


def _help(sections: Mapping[str, str], mark: str) -> str:
    return "\n\n".join(f"{mark}{name}\n\n{text.strip()}" for name, text in sections.items())


# ---------------------------------------------------------------- results


def _results(outcome: Outcome, places: Mapping[str, int], verbose: bool) -> list[Data]:
    """Findings; where a baseline knows some, every one says how it stands to the baseline."""
    results: list[Data] = []
    baseline = any(f.known for report in outcome.reports for f in judgement(report).findings)
    for report in outcome.reports:
        path = report.checkpoint.path
        for finding in ordered(report):
            compared = _compared(finding) if baseline else {}
            results.append(_named(finding, path, places) | _finding(finding, path) | compared)
        for item in judgement(report).skipped:
            if verbose and not item.error:
                results.append(_named(item, path, places) | _skipped(item))
    return results


def _named(answer: Finding | NotJudged, path: str, places: Mapping[str, int]) -> Data:
    """Which rule, and where."""
    kind = "network" if answer.layer is None else "layer"
    logical: Data = {"fullyQualifiedName": where(answer), "kind": kind}
    logical["name"] = NETWORK if answer.layer is None else answer.layer
    return {
        "ruleId": answer.rule,
        "ruleIndex": places[answer.rule],
        "locations": [{**_location(path), "logicalLocations": [logical]}],
    }


def _finding(finding: Finding, path: str) -> Data:
    mark = fingerprint(path, finding.rule, where(finding))
    return {
        "level": finding.severity,
        "message": {"text": _literal(_message(finding))},
        # GitHub would hash the first line in the place of the first of these, and take two
        # layers with the same fault for one.
        "partialFingerprints": {"primaryLocationLineHash": mark, "rnndiag/v1": mark},
        "properties": _properties(finding),
    }


def _message(finding: Finding) -> str:
    first = f". Try first: {finding.advice[0].text}" if finding.advice else ""
    return f"{sentence(finding)}{first}."


def _literal(text: str) -> str:
    """Braces doubled: alone they stand for arguments in a message (SARIF 3.11.5)."""
    return text.replace("{", "{{").replace("}", "}}")


def _properties(finding: Finding) -> Data:
    measured = finding.measured
    return {
        "confidence": finding.confidence,
        "capped": finding.capped,
        "doubt": finding.doubt,
        "evidence": finding.evidence,
        "measured": measured and vars(measured),
        "advice": [_advice(advice) for advice in finding.advice],
    }


def _advice(advice: Advice) -> Data:
    return {"text": advice.text, "snippet": advice.snippet, "source": advice.source}


def _compared(finding: Finding) -> Data:
    if not finding.known:
        return {"baselineState": "new", "suppressions": []}
    reason = {"kind": "external", "justification": "known: in the baseline"}
    return {"baselineState": "unchanged", "suppressions": [reason]}


def _skipped(item: NotJudged) -> Data:
    text = _literal(f"{where(item)}: not judged: {item.reason}")
    return {"kind": "notApplicable", "level": "none", "message": {"text": text}}


# ---------------------------------------------------------------- files, and how it went


def _location(path: str) -> Data:
    artifact = {"uri": _uri(path)}
    return {"physicalLocation": {"artifactLocation": artifact, "region": {"startLine": 1}}}


def _uri(path: str) -> str:
    """Relative to where rnndiag was called, as CI systems expect it, unless it is absolute."""
    file = Path(path)
    if file.is_absolute():
        return file.as_uri()
    # A name that is no UTF-8 comes as surrogate escapes, and goes as its own bytes.
    return quote(file.as_posix(), errors="surrogateescape")


def _artifacts(outcome: Outcome) -> list[Data]:
    read = [_artifact(report) for report in outcome.reports]
    return read + [{"location": {"uri": _uri(unread.path)}} for unread in outcome.unread]


def _artifact(report: Report) -> Data:
    file = report.checkpoint
    return {
        "location": {"uri": _uri(file.path)},
        "length": file.bytes,
        "hashes": {"sha-256": file.sha256},
        "roles": ["analysisTarget"],
    }


def _invocation(outcome: Outcome, places: Mapping[str, int]) -> Data:
    return {
        # Statuses 2 and 3: something was not read, or there was nothing to analyse in it.
        "executionSuccessful": outcome.exit_code in (0, 1),
        "exitCode": outcome.exit_code,
        "toolExecutionNotifications": [
            _notification(trouble, places) for trouble in all_troubles(outcome)
        ],
    }


def _notification(trouble: Trouble, places: Mapping[str, int]) -> Data:
    data: Data = {
        "descriptor": {"id": trouble.kind},
        "level": trouble.severity,
        "message": {"text": _literal(f"{trouble.where}: {trouble.message}")},
        "locations": [_location(trouble.path)],
    }
    if trouble.rule is not None:
        data["associatedRule"] = {"id": trouble.rule, "index": places[trouble.rule]}
    return data
