"""Markdown for a wiki, a pull request's comment or a log of experiments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rnndiag.outputs.reports.markdown import code, escaped
from rnndiag.outputs.words import sweeps as words
from rnndiag.records import Row, Sweep


def render(sweep: Sweep, *, width: int, color: bool, verbose: bool) -> str:
    """The worst rows and the failed ones; with `verbose` all of them."""
    most = len(sweep.rows) if verbose else words.SHOWN
    blocks = [f"## rnndiag: {words.verdict(sweep)}", f"{escaped(words.summary(sweep))}."]
    worst = words.worst_first(sweep)
    if worst:
        rows = [[code(row.path), *map(escaped, words.cells(row))] for row in worst[:most]]
        blocks.append("\n".join(_table(words.HEADS, rows)))
        blocks += _more(sweep, worst, most)
    found = words.frequencies(sweep)
    if found:
        counts = [[f"{own.code} {own.name}", *own.cells] for own in found]
        blocks.append("\n".join(_table(("rule", *words.RULE_HEADS), counts)))
    blocks += _told(sweep, words.failed(sweep), "Failed", most)
    blocks += _told(sweep, words.empty(sweep), "Nothing to analyse", most)
    remarks = words.remarks(sweep)
    if remarks:
        blocks.append("\n".join(f"- {escaped(remark)}" for remark in remarks))
    return "\n\n".join(blocks) + "\n"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _told(sweep: Sweep, rows: Sequence[Row], title: str, most: int) -> Iterator[str]:
    if rows:
        yield f"### {title}: {len(rows):,}"
        yield "\n".join(f"- {code(row.path)}: {escaped(words.told(row))}" for row in rows[:most])
        yield from _more(sweep, rows, most)


def _more(sweep: Sweep, rows: Sequence[Row], most: int) -> Iterator[str]:
    text = words.more(sweep, rows, most)
    if text:
        yield f"{text}."
