"""The whole story of a training run: its checkpoints become one course.

    weigh all of them → put them in order → diagnose one after the other → judge → say since when

At no time is there more than one run in memory: what stays of each checkpoint is its report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rnndiag import advising
from rnndiag.advising import Case
from rnndiag.evidence import series as checkpoints
from rnndiag.evidence.files import natural
from rnndiag.evidence.series import Survey
from rnndiag.progress import Progress, part, silent
from rnndiag.records import Course, Gap, Report, Series
from rnndiag.tracking import _layers, _points, _regressions, _since
from rnndiag.tracking._seen import Seen, prefix, seen, seen_on_series

__all__ = ["prefix", "track"]
_WEIGHED = 0.15
"""Share of the work that lies behind when the first probe is run."""


def track(
    paths: Sequence[str], case: Case, *, norms_only: bool = False, progress: Progress = silent
) -> Course:
    """The course of the run whose checkpoints are in `paths`: files, patterns or folders.

    With `norms_only` the probe is run on the last one alone, and of the others only the weights
    are read. A file that cannot be read, and one with other layers, is a gap; one that the probe
    cannot be run on keeps its norms. Raises `rnndiag.errors.RnndiagError` where fewer than two
    checkpoints are left, or none of them can be run.
    """
    judge = advising.judge_of(case)
    end = 1.0 - _WEIGHED if norms_only else _WEIGHED
    survey = checkpoints.survey(paths, case.options, part(progress, 0.0, end))
    follow = _only_last if norms_only else _each
    followed = follow(survey, case, judge, part(progress, end, 1.0))
    return _course(survey, followed, case)


# ---------------------------------------------------------------- one checkpoint after the other


def _each(
    survey: Survey, case: Case, judge: Callable[[Report], Report], progress: Progress
) -> list[Seen]:
    """Every checkpoint by all rules, with the series as it was by then."""
    count = len(survey.series.checkpoints)
    found = []
    for place in range(count):
        share = part(progress, place / count, (place + 1) / count)
        found.append(
            seen(survey.series, place, case.options, judge, _numbered(share, place, count))
        )
    return _with_any(found)


def _numbered(progress: Progress, place: int, count: int) -> Progress:
    return lambda what, done: progress(f"{place + 1} of {count}: {what}", done)


def _only_last(
    survey: Survey, case: Case, judge: Callable[[Report], Report], progress: Progress
) -> list[Seen]:
    """The last checkpoint that can be run by all rules, those before it by the series' rules."""
    count = len(survey.series.checkpoints)
    behind: list[Seen] = []
    for place in reversed(range(count)):
        behind.insert(0, seen(survey.series, place, case.options, judge, progress))
        report = behind[0].report
        if report is not None:
            before = seen_on_series(survey.series, place, case, report)
            return [*before, *behind]
    return _with_any(behind)


def _with_any(found: list[Seen]) -> list[Seen]:
    """Raise what is wrong with the first, where it is wrong with all: the probe, mostly."""
    errors = [own.error for own in found if own.error is not None]
    if len(errors) == len(found):
        raise errors[0]
    return found


# ---------------------------------------------------------------- all of them


def _course(survey: Survey, followed: Sequence[Seen], case: Case) -> Course:
    last = max(place for place, own in enumerate(followed) if own.report is not None)
    report = followed[last].report
    assert report is not None
    points = _points.points(survey, followed)
    axis = _points.axis(survey)
    return Course(
        points=points,
        axis=axis,
        layers=_layers.courses(points, axis, [own.report for own in followed]),
        report=report,
        findings=_since.lasting(followed, last),
        gaps=tuple(_gaps(survey)),
        regressions=_regressions.between_ends([own.report for own in followed], case.policy.lag),
        notes=tuple(_notes(survey, followed, last)),
        lag=case.policy.lag,
        alpha=case.options.alpha,
        exit_code=report.exit_code,
    )


def _gaps(survey: Survey) -> Iterator[Gap]:
    """What was left out; a place has only what is called as the checkpoints are."""
    paths = [Path(path) for path in survey.series.checkpoints]
    endings = {path.suffix for path in paths}
    for path, reason in sorted(survey.left_out, key=lambda gap: natural(gap[0])):
        earlier = [own for own in paths if natural(own) < natural(path)]
        before = paths.index(max(earlier, key=natural)) + 1 if earlier else 0
        place = before if path.suffix in endings else None
        yield Gap(path=str(path), reason=reason, before=place)


def _notes(survey: Survey, followed: Sequence[Seen], last: int) -> Iterator[str]:
    series = survey.series
    yield from checkpoints.no_checkpoints(survey.others)
    if survey.clock is None:
        yield "not every file tells its epoch or step: the names give the order"
    else:
        yield from _twice(series, _points.axis(survey))
    for file, layers in survey.lacking:
        yield f"{file} lacks {', '.join(layers)}, or has it in another shape"
    for path, own in zip(series.checkpoints, followed, strict=True):
        if own.error is not None:
            yield f"{path}: its weights alone count: {_points.reason(path, own.error)}"
    if last < len(followed) - 1:
        yield f"judged is {series.checkpoints[last]}, the last that could be run"
    report = followed[last].report
    if report is not None and report.probe.source == "synthetic":
        yield "a made-up probe was run: what depends on data says little; --probe FILE"


def _twice(series: Series, axis: str) -> Iterator[str]:
    """A moment that several files tell: most often one of them is a copy."""
    files: dict[float | None, list[str]] = {}
    for path, step in zip(series.checkpoints, series.steps, strict=True):
        files.setdefault(step, []).append(path)
    for step, paths in files.items():
        if len(paths) > 1:
            yield f"{' and '.join(paths)} tell the same {axis}, {step:g}"
