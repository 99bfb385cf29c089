"""The page on a training run: what is found at its end, since when, and how it came about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rnndiag.outputs.judged import where
from rnndiag.outputs.words import courses as words
from rnndiag.publishing.base import Page, Section, Shown, Table
from rnndiag.records import Course, LayerCourse, LayerReport
from rnndiag.wording import title


def page(
    course: Course,
    shown: Sequence[tuple[LayerReport | None, Shown]],
    broken: Sequence[str] = (),
) -> Page:
    """What is told of a course, with the pictures of each layer and of the findings.

    `broken` says which figures could not be drawn.
    """
    return Page(
        title=Path(words.folder(course)).name or words.folder(course),
        about=(words.extent(course),),
        verdict=f"{words.summary(course)} at the last checkpoint",
        sections=tuple(_sections(course, shown, broken)),
    )


def _sections(
    course: Course, shown: Sequence[tuple[LayerReport | None, Shown]], broken: Sequence[str]
) -> Iterator[Section]:
    whole = tuple(own for layer, own in shown if layer is None)
    said = () if course.findings else ("No rule found anything to change.",)
    held = tuple(_held(course))
    yield Section(
        title="Findings at the last checkpoint",
        text=said,
        tables=held,
        findings=tuple(own.finding for own in words.weighty(course)),
    )
    worse = tuple(words.regressions(course))
    if worse:
        yield Section(title="What got worse", points=worse)
    for layer in course.layers:
        pictures = tuple(own for of, own in shown if of is layer.layer)
        yield Section(title=title(layer.layer), tables=(_table(course, layer),), pictures=pictures)
    yield from _over_time(course, whole)
    remarks = (*words.left_out(course.gaps), *course.notes, *broken)
    if remarks:
        yield Section(title="To keep in mind", points=remarks)


def _held(course: Course) -> Iterator[Table]:
    """Since when each of the findings is there."""
    if course.findings:
        yield Table(
            columns=("rule", "held", "finding"),
            rows=tuple(
                (
                    f"{own.finding.rule} {where(own.finding)}",
                    words.since(course, own),
                    f"{own.finding.severity}: {own.finding.name}",
                )
                for own in course.findings
            ),
        )


def _table(course: Course, own: LayerCourse) -> Table:
    return Table(
        columns=("", "first", "last", "growth", f"per {words.per(course)[1]}"),
        rows=tuple(
            (row.label, row.first, row.last, row.change, row.rate)
            for row in words.rows(course, own)
        ),
        caption="Frobenius norms. The growth is from the first norm above 0 to the last; the rate "
        "is a Theil-Sen fit, which a fast beginning does not move.",
    )


def _over_time(course: Course, pictures: tuple[Shown, ...]) -> Iterator[Section]:
    points = tuple(words.changes(course))
    if pictures or points:
        yield Section(title="Over the run", pictures=pictures, points=points)
