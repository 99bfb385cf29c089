"""The whole story of advice: checkpoints become judged reports.

    measure, or read what was measured → what else is known → judge → baseline

A saved report is judged without its checkpoint and without torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from rnndiag import judging, pipeline
from rnndiag.errors import RnndiagError, UnreadableCheckpoint
from rnndiag.evidence import context as contexts
from rnndiag.evidence import histories, settings
from rnndiag.evidence import trials as tried
from rnndiag.evidence.context import Context
from rnndiag.pipeline import Diagnosis
from rnndiag.progress import Progress, silent
from rnndiag.records import (
    History,
    Options,
    Outcome,
    Policy,
    Report,
    Series,
    Settings,
    Trials,
    Unread,
)
from rnndiag.saved import baselines
from rnndiag.saved import reports as saved_reports
from rnndiag.saved.baselines import Baseline

_HEAD = 64
"""Bytes that tell JSON from the formats of checkpoints."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Files that tell what a checkpoint does not."""

    history: Path | str | None = None
    train_column: str | None = None
    val_column: str | None = None
    series: tuple[str, ...] = ()
    context: Path | str | None = None
    trials: Path | str | None = None
    baseline: Path | str | None = None


@dataclass(frozen=True, kw_only=True)
class Case:
    """All that is chosen about one checkpoint."""

    options: Options = field(default_factory=Options)
    policy: Policy = field(default_factory=Policy)
    evidence: Evidence = field(default_factory=Evidence)

    @classmethod
    def of(cls, chosen: Mapping[str, Any]) -> Case:
        """The records that `chosen` names the fields of; other names are left aside.

        Raises `rnndiag.errors.BadOption` for values that make no sense.
        """

        def part(record: type[Any]) -> Any:
            named = [own.name for own in fields(record) if own.name in chosen]
            return record(**{name: chosen[name] for name in named})

        return cls(options=part(Options), policy=part(Policy), evidence=part(Evidence))

    @classmethod
    def names(cls) -> set[str]:
        """All names that `of` knows."""
        return {own.name for record in (Options, Policy, Evidence) for own in fields(record)}


Choose = Callable[[str], Case]
"""What is chosen about the checkpoint with a path; of a saved report that is the recorded one."""


@dataclass(frozen=True, kw_only=True)
class _Job:
    """One report to come, and all that it takes."""

    path: str
    case: Case
    measured: Report | None
    """What was measured before; None where the checkpoint is to be measured."""
    context: Context | None
    trials: Trials | None
    baseline: Baseline | None
    history: History | None


def advise(paths: Sequence[str], choose: Choose, progress: Progress = silent) -> Outcome:
    """The judged report of every checkpoint; of saved reports all that are in the file.

    Options and evidence that cannot be used raise before any work, and so does a checkpoint
    that is the only one. Of several, one that cannot be read is told beside the reports.
    Raises `rnndiag.errors.RnndiagError`.
    """
    failed: list[tuple[str, RnndiagError]] = []
    sources: dict[str, Outcome | None] = {}
    for path in paths:
        with _noting(path, failed):
            sources[path] = saved(path)
    jobs = [job for path, outcome in sources.items() for job in _jobs(path, outcome, choose)]
    reports: list[Report] = []
    for place, job in enumerate(jobs):
        with _noting(job.path, failed):
            share = _part(progress, place, len(jobs))
            reports.append(_judged(job, job.measured or _measured(job, share), share))
    before = [unread for outcome in sources.values() if outcome for unread in outcome.unread]
    if len(failed) == 1 and not reports and not before:
        raise failed[0][1]
    now = [Unread(path=path, message=error.message, hint=error.hint) for path, error in failed]
    return Outcome(reports=tuple(reports), unread=(*before, *now))


def diagnose(path: str, case: Case, progress: Progress = silent) -> Diagnosis:
    """The judged report of one checkpoint, and the run that it rests on, in full.

    Raises `rnndiag.errors.RnndiagError`, for a saved report too: it has no arrays.
    """
    saved_reports.refuse(path)
    job = _job(path, case, None)
    found = pipeline.inspect(path, case.options, progress, in_full=True)
    return replace(found, report=_judged(job, found.report, progress))


def judge_of(case: Case) -> Callable[[Report], Report]:
    """What judges measured reports by a case; its files are read now, and once.

    A report keeps the series that it has. Raises `rnndiag.errors.RnndiagError`.
    """
    job = _job("", replace(case, evidence=replace(case.evidence, series=())), None)
    return lambda report: _judged(job, report, silent)


def saved(path: str) -> Outcome | None:
    """What ``--format json`` has put into the file; None where it is something else.

    Raises `UnreadableCheckpoint` for JSON of other kinds.
    """
    place = Path(path)
    if saved_reports.recognises(place):
        return saved_reports.read_outcome(place)
    if _is_json(place):
        hint = "give the checkpoint itself; losses go to --history, settings tried to --trials"
        raise UnreadableCheckpoint(f"{path}: is JSON, but no report of rnndiag's", hint)
    return None


def _is_json(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(_HEAD)
    # safetensors begin with a length, which has zeros in it, before their JSON.
    is_text = b"\0" not in head and head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"["))
    if not is_text:
        return False
    from rnndiag import checkpoints

    return not checkpoints.may_be_index(path)


@contextmanager
def _noting(path: str, failed: list[tuple[str, RnndiagError]]) -> Iterator[None]:
    """Note what is wrong with one checkpoint, and go on to the next."""
    try:
        yield
    except RnndiagError as error:
        failed.append((path, error))


# ---------------------------------------------------------------- before the work


def _jobs(path: str, outcome: Outcome | None, choose: Choose) -> list[_Job]:
    if outcome is None:
        return [_job(path, choose(path), None)]
    reports = [(report.checkpoint.path, report) for report in outcome.reports]
    return [_job(path, choose(path), report) for path, report in reports]


def _job(path: str, case: Case, measured: Report | None) -> _Job:
    """All evidence is read before the work, so that a misspelt name costs no minute."""
    evidence = case.evidence
    judging.check(case.policy)
    return _Job(
        path=path,
        case=case,
        measured=measured,
        context=contexts.read(Path(evidence.context)) if evidence.context else None,
        trials=tried.read(Path(evidence.trials)) if evidence.trials else None,
        baseline=baselines.read(Path(evidence.baseline)) if evidence.baseline else None,
        history=_history(evidence),
    )


def _history(evidence: Evidence) -> History | None:
    if evidence.history is None:
        return None
    return histories.read(Path(evidence.history), evidence.train_column, evidence.val_column)


# ---------------------------------------------------------------- the work


def _judged(job: _Job, report: Report, progress: Progress) -> Report:
    series = _series(job, progress) or report.series
    report = replace(report, history=job.history or report.history, series=series)
    report = replace(report, settings=_settings(report, job.context))
    report = judging.judge(report, job.case.policy, job.trials)
    return baselines.mark(report, job.baseline, job.case.policy) if job.baseline else report


def _measured(job: _Job, progress: Progress) -> Report:
    return pipeline.inspect(job.path, job.case.options, progress).report


def _settings(report: Report, context: Context | None) -> Settings:
    """What is known of the training; a saved report knows what an earlier context has told.

    A context takes the place of an earlier one. What only that one told is said.
    """
    if context is None and report.settings is not None:
        return report.settings
    known = settings.gather(report, context)
    if context is None or report.settings is None:
        return known
    left = settings.left_aside(report.settings, known, context.source)
    return replace(known, conflicts=(*known.conflicts, *left))


def _series(job: _Job, progress: Progress) -> Series | None:
    """The norms of earlier checkpoints and of the one that is judged."""
    earlier = job.case.evidence.series
    if not earlier:
        return None
    from rnndiag.evidence import series

    # The checkpoint of a saved report need not be there any more.
    last = job.path if Path(job.path).exists() else None
    return series.read(earlier, job.case.options, progress, last)


def _part(progress: Progress, place: int, count: int) -> Progress:
    """The share of the work that one of several checkpoints is."""
    if count == 1:
        return progress
    return lambda what, done: progress(f"{place + 1} of {count}: {what}", (place + done) / count)
