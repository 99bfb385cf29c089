"""What is said of judged reports: places, sentences, fingerprints, troubles."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from rnndiag.errors import BadOption
from rnndiag.records import (
    CONFIDENCES,
    SEVERITIES,
    Finding,
    Judgement,
    NotJudged,
    Outcome,
    Passed,
    Report,
    Severity,
    Unread,
)
from rnndiag.wording import address, counted, plain

Answer: TypeAlias = Finding | Passed | NotJudged
NETWORK = "network"
"""The place of what is about no layer in particular."""
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """Something that kept rnndiag from judging: silence about it would read as health."""

    kind: str
    """``unread-checkpoint``, ``nothing-analysed``, ``layer-not-analysed``, ``broken-rule``, or
    ``conflicting-settings``, which is a note."""
    severity: Severity
    path: str
    where: str
    """As `where` says it."""
    message: str
    rule: str | None = None
    """The code of the rule that broke."""


# ---------------------------------------------------------------- what was said


def judgement(report: Report) -> Judgement:
    """What the rules said; raises `BadOption` for a report that no rule has seen."""
    if report.judgement is None:
        hint = "use `rnndiag advise`, or rnndiag.judging.judge"
        raise BadOption(f"the report of {report.checkpoint.path} is not judged", hint)
    return report.judgement


def ordered(report: Report) -> list[Finding]:
    """The findings, the worst and surest first; those that the baseline knows come last."""
    return sorted(judgement(report).findings, key=urgency)


def alike(findings: Iterable[Finding]) -> list[tuple[Finding, tuple[Finding, ...]]]:
    """Findings of which a rule says the same of several layers: the first, and all of them."""
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for found in findings:
        groups.setdefault(_said(found), []).append(found)
    return [(group[0], tuple(group)) for group in groups.values()]


def _said(found: Finding) -> tuple[object, ...]:
    """All that is shown of a finding in a row, but for where it is."""
    return found.rule, found.severity, found.confidence, found.message, found.capped, found.known


def answers(report: Report) -> list[Answer]:
    """All that the rules said, by rule and then by place."""
    said = judgement(report)
    every: list[Answer] = [*said.findings, *said.passed, *said.skipped]
    return sorted(every, key=lambda answer: (answer.rule, where(answer)))


def urgency(finding: Finding) -> tuple[bool, int, int]:
    """Sorts findings that count before known ones, then by severity and by confidence."""
    worst, surest = SEVERITIES.index(finding.severity), CONFIDENCES.index(finding.confidence)
    return finding.known, worst, surest


def where(answer: Answer) -> str:
    """What an answer is about: ``lstm/forward``, ``lstm#1/backward`` for a later call."""
    if answer.layer is None:
        return NETWORK
    return address(answer.layer, answer.call, answer.direction)


def sentence(finding: Finding) -> str:
    """The finding's message, with its place before and what weakens it behind."""
    remarks = (finding.capped, "known: in the baseline" if finding.known else None)
    behind = "".join(f" ({remark})" for remark in remarks if remark)
    return f"{where(finding)}: {finding.message}{behind}"


def evidence(finding: Finding) -> dict[str, str]:
    """What the finding rests on, as text by its name; without what is not known, or empty."""
    texts = {name: plain(own) for name, own in finding.evidence.items() if own is not None}
    return {name: text for name, text in texts.items() if text}


def fingerprint(path: str, rule: str, place: str) -> str:
    """The same for the same rule at the same place of the same file, whatever was measured."""
    parts = json.dumps([Path(path).as_posix(), rule, place])
    return hashlib.sha256(parts.encode()).hexdigest()


def summary(outcome: Outcome) -> str:
    """How many findings count and how many are known; which checkpoints no rule could judge."""
    findings = [found for report in outcome.reports for found in judgement(report).findings]
    new = [found.severity for found in findings if not found.known]
    counts = [(new.count(severity), severity) for severity in SEVERITIES]
    words = [counted(count, severity) for count, severity in counts if count]
    kinds = [trouble.kind for trouble in all_troubles(outcome)]
    others = {
        "known": len(findings) - len(new),
        "not read": kinds.count("unread-checkpoint"),
        "without an analysed layer": kinds.count("nothing-analysed"),
    }
    words += [f"{count} {what}" for what, count in others.items() if count]
    return ", ".join(words) or "no findings"


# ---------------------------------------------------------------- what went wrong


def all_troubles(outcome: Outcome) -> Iterator[Trouble]:
    """The troubles of every checkpoint; those that could not be read come first."""
    for unread in outcome.unread:
        yield not_read(unread)
    for report in outcome.reports:
        yield from troubles(report)


def not_read(unread: Unread) -> Trouble:
    """A checkpoint that could not be diagnosed at all."""
    message = f"{unread.message} ({unread.hint})" if unread.hint else unread.message
    kind = "unread-checkpoint"
    return Trouble(kind=kind, severity="error", path=unread.path, where=NETWORK, message=message)


def troubles(report: Report) -> Iterator[Trouble]:
    """What could not be judged in one checkpoint, apart from what does not apply."""
    path = report.checkpoint.path
    if not any(layer.analysed for layer in report.layers):
        yield Trouble(
            kind="nothing-analysed",
            severity="error",
            path=path,
            where=NETWORK,
            message="no recurrent layer could be analysed, so nothing was judged",
        )
    for layer in report.layers:
        if not layer.analysed:
            yield Trouble(
                kind="layer-not-analysed",
                severity="warning",
                path=path,
                where=layer.id,
                message=layer.reason or "the layer could not be analysed",
            )
    for item in judgement(report).skipped:
        if item.error:
            yield Trouble(
                kind="broken-rule",
                severity="error",
                path=path,
                where=where(item),
                message=f"{item.rule} {item.name}: {item.reason}",
                rule=item.rule,
            )
    for conflict in report.settings.conflicts if report.settings else ():
        yield Trouble(
            kind="conflicting-settings",
            severity="note",
            path=path,
            where=NETWORK,
            message=conflict,
        )


# ---------------------------------------------------------------- as text


def dumps(data: Any) -> str:
    """JSON that every parser takes: no NaN or infinity, no half of a surrogate pair."""
    return json.dumps(_plain(data), indent=2, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_plain(str(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        # A file name that is no UTF-8 comes with halves of surrogate pairs in it.
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
