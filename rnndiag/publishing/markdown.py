"""The page as Markdown, with the pictures beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rnndiag.outputs.reports.markdown import code, escaped
from rnndiag.publishing.base import Page, Said, Section, Table, said

_BLOCK = re.compile(r"(?:\d{1,9}(?=[.)])|(?=[-+#=]))")
"""What would begin a list, a heading or a rule at the start of a line."""


def render(page: Page) -> str:
    """The text of ``report.md``."""
    blocks = [f"# {escaped(page.title)}", f"**{escaped(page.verdict)}**"]
    blocks += map(_line, page.about)
    for section in page.sections:
        blocks += _section(section)
    return "\n\n".join(blocks) + "\n"


def _line(text: str) -> str:
    """`text` as the start of a paragraph, and of nothing else."""
    safe = escaped(text.strip())
    begun = _BLOCK.match(safe)
    return f"{begun[0]}\\{safe[begun.end() :]}" if begun else safe


def _section(section: Section) -> Iterator[str]:
    yield f"## {escaped(section.title)}"
    yield from map(_line, section.text)
    for own in said(section.findings):
        yield from _finding(own)
    for table in section.tables:
        yield _table(table)
        if table.caption:
            yield _line(table.caption)
    for picture in section.pictures:
        yield f"![{escaped(picture.alt)}]({picture.file})"
        yield f"**{escaped(picture.title)}.** {escaped(picture.caption)}"
    if section.points:
        yield "\n".join(f"- {_line(point)}" for point in section.points)


def _finding(own: Said) -> Iterator[str]:
    finding = own.finding
    known = ", known" if finding.known else ""
    capped = f" ({escaped(finding.capped)})" if finding.capped else ""
    rule = f"{finding.rule} {escaped(finding.name)}"
    yield f"### {finding.severity}: {rule}, {code(own.places)}"
    yield f"{_line(finding.message)}{capped} ({finding.confidence} confidence{known})"
    if finding.advice:
        steps = enumerate(finding.advice, 1)
        yield "\n".join(f"{k}. {_line(s.text)} ({escaped(s.source)})" for k, s in steps)


def _table(table: Table) -> str:
    lines = [table.columns, ("---",) * len(table.columns), *table.rows]
    return "\n".join(f"| {' | '.join(map(escaped, line))} |" for line in lines)
