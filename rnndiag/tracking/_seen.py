"""What is known of one checkpoint of a run beside its norms: its judged report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from rnndiag import advising, judging, pipeline, rules
from rnndiag.advising import Case
from rnndiag.asking import asks_for
from rnndiag.errors import RnndiagError
from rnndiag.progress import Progress
from rnndiag.records import Finding, Judgement, Options, Passed, Report, Series, WeightSizes

_OF_SERIES = "checkpoints"
"""Evidence that a finding has if, and only if, it rests on the series."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One checkpoint: its report, if the probe was run, and what the rules said."""

    judged: Literal["all", "series", "none"]
    report: Report | None = None
    findings: tuple[Finding, ...] = ()
    passed: tuple[Passed, ...] = ()
    error: RnndiagError | None = None
    """Why the probe could not be run."""


def seen(
    series: Series,
    place: int,
    options: Options,
    judge: Callable[[Report], Report],
    progress: Progress,
) -> Seen:
    """The checkpoint at `place`, judged by what was there when it was written."""
    try:
        measured = pipeline.inspect(series.checkpoints[place], options, progress).report
    except RnndiagError as error:
        return Seen(judged="none", error=error)
    report = judge(replace(measured, series=prefix(series, place + 1)))
    said = report.judgement or Judgement(findings=())
    return Seen(judged="all", report=report, findings=said.findings, passed=said.passed)


def prefix(series: Series, count: int) -> Series:
    """The series as it was when it had only so many checkpoints."""
    return replace(
        series,
        checkpoints=series.checkpoints[:count],
        steps=series.steps[:count],
        layers={
            name: WeightSizes(
                kernel=own.kernel[:count], recurrent=own.recurrent[:count], bias=own.bias[:count]
            )
            for name, own in series.layers.items()
        },
    )


def seen_on_series(series: Series, count: int, case: Case, report: Report) -> list[Seen]:
    """The first `count` checkpoints by the rules on norms alone.

    All else that these rules look at is taken from the `report` of a later checkpoint. What
    they find in it without the series says nothing of an earlier one, and is left aside.
    """
    codes = [code for code in judging.chosen(case.policy) if rests_on_series(code)]
    if not codes:
        return [Seen(judged="none")] * count
    policy = replace(case.policy, select=tuple(codes), ignore=())
    judge = advising.judge_of(replace(case, policy=policy))
    return [_on_prefix(judge(replace(report, series=prefix(series, k + 1)))) for k in range(count)]


def _on_prefix(report: Report) -> Seen:
    said = report.judgement or Judgement(findings=())
    findings = tuple(own for own in said.findings if _OF_SERIES in own.evidence)
    return Seen(judged="series", findings=findings, passed=said.passed)


def rests_on_series(code: str) -> bool:
    """Whether a rule looks at a series."""
    return asks_for(rules.catalogue()[code].check, "Series")


def told_by_series(finding: Finding) -> bool:
    """Whether it is the series that a finding rests on."""
    return rests_on_series(finding.rule) and _OF_SERIES in finding.evidence
