"""The losses of the run, where a history tells of it: as in the report on one checkpoint."""

from __future__ import annotations

from collections.abc import Iterator

from rnndiag.figures.base import Picture, Subject
from rnndiag.figures.checkpoint import losses
from rnndiag.records import Course

PLACE = 5


def draw(course: Course) -> Iterator[Picture]:
    """The picture of the history that the last checkpoint was judged with."""
    yield from losses.draw(Subject(report=course.report, layers=()))
