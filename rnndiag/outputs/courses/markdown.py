"""Markdown for a pull request's comment or a log of experiments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rnndiag.outputs.reports.markdown import code, escaped
from rnndiag.outputs.words import courses as words
from rnndiag.records import Course, Lasting, LayerCourse
from rnndiag.wording import bars, counted, place, title

_CELLS = 24


def render(course: Course, *, width: int, color: bool, verbose: bool) -> str:
    """A table for each layer; `verbose` adds the notes among the findings."""
    blocks = [f"## rnndiag: {words.summary(course)} at the last checkpoint"]
    blocks.append(f"{code(words.folder(course))}: {escaped(words.extent(course))}")
    shown = course.findings if verbose else words.weighty(course)
    if shown:
        blocks.append("\n".join(_findings(course, shown)))
    if len(shown) < len(course.findings):
        blocks.append(f"{counted(len(course.findings) - len(shown), 'more note')}.")
    worse = [f"- {escaped(sentence)}" for sentence in words.regressions(course)]
    if worse:
        blocks.append("\n".join(worse))
    for layer in course.layers:
        blocks += _layer(course, layer)
    remarks = [*words.left_out(course.gaps), *course.notes]
    if remarks:
        blocks.append("\n".join(f"- {escaped(remark)}" for remark in remarks))
    return "\n\n".join(blocks) + "\n"


def _findings(course: Course, shown: Sequence[Lasting]) -> Iterator[str]:
    for own in shown:
        where = code(place(own.finding) or "network")
        since = words.since(course, own)
        held = f", {escaped(since)}" if since else ""
        told = escaped(words.told(own.finding))
        yield f"- **{told}**, {where}{held}: {escaped(own.finding.message)}"


def _layer(course: Course, own: LayerCourse) -> Iterator[str]:
    yield f"### {code(title(own.layer))}"
    heads = ("", "first", "course", "last", "growth", f"per {words.per(course)[1]}")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for row in words.rows(course, own):
        drawn = bars(row.values, *row.limits, _CELLS)
        cells = (row.label, row.first, drawn, row.last, row.change, row.rate)
        lines.append(f"| {' | '.join(map(escaped, cells))} |")
    yield "\n".join(lines)
