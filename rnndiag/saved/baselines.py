"""Baselines: findings that are known already, and count only where they have got worse."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from rnndiag.errors import BadOption
from rnndiag.files import replacing
from rnndiag.judging import status
from rnndiag.records import (
    SEVERITIES,
    Direction,
    Finding,
    NotJudged,
    Passed,
    Policy,
    Report,
    Severity,
)
from rnndiag.saved._json import SavedJson

VERSION = 1
TOLERANCE = 0.1
"""How much worse a number may be, relative to the recorded one, and still be the same finding.
This project's own cut. The same checkpoint and probe give the same numbers again; another
made-up probe moves most numbers of the samples (spans, shares, timescales) by no more."""
_DIGITS = 6
"""Significant digits that are recorded: the last ones differ between machines."""

Place: TypeAlias = tuple[str, str | None, Direction | None, int]
"""Rule, layer, direction and call."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One finding as a baseline has it."""

    rule: str
    """The rule's code; one that has since been removed matches nothing."""
    name: str
    """The rule's name, for whoever reads the file."""
    layer: str | None
    direction: Direction | None
    call: int = 0
    severity: Severity
    measure: str | None = None
    """The name of the number that the finding rests on."""
    value: float | None = None
    """That number; None where there is none, or it is not finite: nothing is worse than that."""

    @property
    def place(self) -> Place:
        """What the rule has said it of."""
        return self.rule, self.layer, self.direction, self.call


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """Recorded findings by the path of their checkpoint."""

    checkpoints: Mapping[str, tuple[Entry, ...]]

    def about(self, path: str) -> tuple[str, ...]:
        """The recorded paths that may be this checkpoint: the nearest that there are.

        That is the same path, else the one with the same file name (CI builds in folders that
        change), of several the one whose path ends alike the longest. Where no name is the same
        it is the only one that was recorded: among several, a new network would be excused by
        findings of any other that happens to have layers of the same names.
        """
        path = _recorded(path)
        if path in self.checkpoints:
            return (path,)
        ends = {known: _common_end(known, path) for known in self.checkpoints}
        longest = max(ends.values(), default=0)
        nearest = tuple(known for known, length in ends.items() if length == longest)
        return nearest if len(nearest) == 1 else ()


def read(path: Path) -> Baseline:
    """The baseline in a file; raises `BadOption` where there is none."""
    file = SavedJson(path=path, refusal=BadOption, hint="write it anew: --write-baseline FILE")
    data = file.load("baseline_version", newest=VERSION)
    return file.structure(data, Baseline)


def write(path: Path, reports: Iterable[Report]) -> None:
    """Record the findings of `reports`, those that were known before included.

    The same findings give the same bytes. Raises `BadOption` where it cannot be written.
    """
    checkpoints: dict[str, set[Entry]] = {}
    for report in reports:
        own = checkpoints.setdefault(_recorded(report.checkpoint.path), set())
        own.update(map(_entry, _findings(report)))
    data = {
        "baseline_version": VERSION,
        "checkpoints": {
            path: [asdict(entry) for entry in sorted(checkpoints[path], key=_order)]
            for path in sorted(checkpoints)
        },
    }
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(data, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def mark(report: Report, baseline: Baseline, policy: Policy) -> Report:
    """`report` with each finding told `known` or not, and the exit status that follows."""
    if report.judgement is None:
        return report
    recorded = [
        entry
        for path in baseline.about(report.checkpoint.path)
        for entry in baseline.checkpoints[path]
    ]
    findings = tuple(
        replace(finding, known=any(_covers(entry, finding) for entry in recorded))
        for finding in report.judgement.findings
    )
    judgement = replace(report.judgement, findings=findings)
    return replace(report, judgement=judgement, exit_code=status(report, judgement, policy))


def gone(report: Report, baseline: Baseline) -> tuple[Entry, ...]:
    """The recorded findings that `report` has no more, though their rules were asked.

    None where it is not certain which of the recorded checkpoints `report` is about.
    """
    paths = baseline.about(report.checkpoint.path)
    if report.judgement is None or len(paths) != 1:
        return ()
    judgement = report.judgement
    said = (*map(_place, judgement.findings), *map(_place, judgement.skipped))
    asked = {place[0] for place in (*said, *map(_place, judgement.passed))}
    unseen = {layer.id for layer in report.layers if not layer.analysed}
    return tuple(
        entry
        for entry in baseline.checkpoints[paths[0]]
        if entry.rule in asked and entry.place not in said and entry.layer not in unseen
    )


# ---------------------------------------------------------------- one finding


def _covers(entry: Entry, finding: Finding) -> bool:
    """Whether `finding` is the recorded one, and no worse than it was."""
    if entry.place != _place(finding):
        return False
    rose = SEVERITIES.index(finding.severity) < SEVERITIES.index(entry.severity)
    return not rose and not _got_worse(entry, finding)


def _got_worse(entry: Entry, finding: Finding) -> bool:
    """Whether the number is clearly worse, or another one; not where one of them is missing."""
    now = finding.measured
    if now is None or entry.measure is None:
        return False
    if entry.measure != now.name:
        return True
    if entry.value is None:
        return False
    rise = now.value - entry.value if now.worse == "higher" else entry.value - now.value
    # Not the other way round: NaN is worse than any number.
    return not rise <= TOLERANCE * abs(entry.value)


def _entry(finding: Finding) -> Entry:
    rule, layer, direction, call = _place(finding)
    measured = finding.measured
    finite = measured is not None and math.isfinite(measured.value)
    return Entry(
        rule=rule,
        name=finding.name,
        layer=layer,
        direction=direction,
        call=call,
        severity=finding.severity,
        measure=measured.name if measured else None,
        value=float(f"{measured.value:.{_DIGITS}g}") if measured and finite else None,
    )


def _place(answer: Finding | NotJudged | Passed) -> Place:
    return answer.rule, answer.layer, answer.direction, answer.call


def _findings(report: Report) -> tuple[Finding, ...]:
    return report.judgement.findings if report.judgement else ()


def _order(entry: Entry) -> tuple[str, ...]:
    """A sorting key that no None gets into."""
    return tuple(map(str, asdict(entry).values()))


def _common_end(one: str, other: str) -> int:
    """How many folders and names the ends of two paths have in common."""
    pairs = zip(PurePosixPath(one).parts[::-1], PurePosixPath(other).parts[::-1], strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _recorded(path: str) -> str:
    """A path as it stands in a baseline, whatever system it was written on."""
    return Path(path).as_posix()
