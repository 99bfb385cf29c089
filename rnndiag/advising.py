"""The whole story of advice: a checkpoint becomes a judged report.

    measure, or read what was measured → what else is known → judge → baseline

A saved report is judged without the checkpoint and without torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rnndiag import baselines, histories, judging, saved_report, settings
from rnndiag import context as contexts
from rnndiag import trials as tried
from rnndiag.errors import RnndiagError
from rnndiag.progress import Progress, silent
from rnndiag.records import History, Options, Outcome, Policy, Report, Series, Unread


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Files that tell what a checkpoint does not."""

    history: Path | None = None
    train_column: str | None = None
    val_column: str | None = None
    series: tuple[str, ...] = ()
    context: Path | None = None
    trials: Path | None = None
    baseline: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Case:
    """One checkpoint, or one saved report, and all that is chosen about it."""

    path: str
    options: Options = field(default_factory=Options)
    policy: Policy = field(default_factory=Policy)
    evidence: Evidence = field(default_factory=Evidence)


def advise_all(cases: Sequence[Case], progress: Progress = silent) -> Outcome:
    """The judged report of every case. One case that fails raises; of several it is told.

    Raises `rnndiag.errors.RnndiagError`.
    """
    reports: list[Report] = []
    unread: list[Unread] = []
    for place, case in enumerate(cases):
        try:
            reports += advise(case, _part(progress, place, len(cases)))
        except RnndiagError as error:
            if len(cases) == 1:
                raise
            unread.append(Unread(path=case.path, message=error.message, hint=error.hint))
    return Outcome(reports=tuple(reports), unread=tuple(unread))


def advise(case: Case, progress: Progress = silent) -> Iterator[Report]:
    """The judged reports of one case: a file of saved reports may hold several."""
    evidence, policy = case.evidence, case.policy
    # All of them are read before the work, so that a misspelt name costs no minute.
    context = contexts.read(evidence.context) if evidence.context else None
    trials = tried.read(evidence.trials) if evidence.trials else None
    baseline = baselines.read(evidence.baseline) if evidence.baseline else None
    history = _history(evidence)
    judging.check(policy)
    for measured in _measured(case, progress):
        series = _series(case, progress) or measured.series
        report = replace(measured, history=history or measured.history, series=series)
        report = replace(report, settings=settings.gather(report, context))
        report = judging.judge(report, policy, trials)
        yield baselines.mark(report, baseline, policy) if baseline else report


def _measured(case: Case, progress: Progress) -> Iterator[Report]:
    path = Path(case.path)
    if saved_report.recognises(path):
        yield from saved_report.read(path)
        return
    from rnndiag import pipeline

    yield pipeline.inspect(case.path, case.options, progress).report


def _history(evidence: Evidence) -> History | None:
    if evidence.history is None:
        return None
    return histories.read(evidence.history, evidence.train_column, evidence.val_column)


def _series(case: Case, progress: Progress) -> Series | None:
    """The norms of earlier checkpoints; the one that is judged is the last of them."""
    if not case.evidence.series:
        return None
    from rnndiag import series

    return series.read((*case.evidence.series, case.path), case.options, progress)


def _part(progress: Progress, place: int, count: int) -> Progress:
    """The share of the work that one of several cases is."""
    if count == 1:
        return progress
    return lambda what, done: progress(f"{place + 1} of {count}: {what}", (place + done) / count)
