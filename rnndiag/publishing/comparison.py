"""The page on two checkpoints: what got worse, and what changed in each layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rnndiag.outputs.words import comparisons as words
from rnndiag.publishing.base import Page, Section, Shown, Table
from rnndiag.records import Comparison, LayerPair, LayerReport
from rnndiag.wording import title


def page(
    comparison: Comparison,
    shown: Sequence[tuple[LayerReport | None, Shown]],
    broken: Sequence[str] = (),
) -> Page:
    """What is told of a comparison, with the pictures of each pair of layers.

    `broken` says which figures could not be drawn.
    """
    before, after = (own.checkpoint.path for own in (comparison.before, comparison.after))
    return Page(
        title=f"{Path(before).name} → {Path(after).name}",
        about=(f"before: {Path(before).name}", f"after: {Path(after).name}"),
        verdict=words.verdict(comparison),
        sections=tuple(_sections(comparison, shown, broken)),
    )


def _sections(
    comparison: Comparison, shown: Sequence[tuple[LayerReport | None, Shown]], broken: Sequence[str]
) -> Iterator[Section]:
    if comparison.regressions:
        yield Section(title="What got worse", points=comparison.regressions)
    if comparison.improvements:
        yield Section(title="What got better", points=comparison.improvements)
    for pair in comparison.pairs:
        pictures = tuple(own for layer, own in shown if layer is pair.after)
        lacking = tuple(words.missing(pair))
        table = _table(pair)
        yield Section(
            title=_name(pair),
            text=lacking,
            tables=(table,) if table.rows else (),
            pictures=pictures,
        )
    for heading, findings in words.by_fate(comparison):
        yield Section(title=heading, findings=findings)
    remarks = (*_alone(comparison), *comparison.notes, *broken)
    if remarks:
        yield Section(title="To keep in mind", points=remarks)


def _name(pair: LayerPair) -> str:
    before, after = title(pair.before), title(pair.after)
    return after if before == after else f"{before}, now {after}"


def _table(pair: LayerPair) -> Table:
    return Table(
        columns=("", "before", "after", ""),
        rows=tuple(
            (
                f"{own.label} ({own.unit})" if own.unit not in ("", "share") else own.label,
                words.before(own),
                words.after(own),
                own.verdict,
            )
            for own in pair.changes
            if own.verdict != "unknown"
        ),
    )


def _alone(comparison: Comparison) -> Iterator[str]:
    for when, layers in (("before", comparison.only_before), ("after", comparison.only_after)):
        if layers:
            yield f"Only {when}: {', '.join(title(layer) for layer in layers)}"
