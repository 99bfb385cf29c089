"""Markdown for a pull request's comment: what got worse, and what changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rnndiag.outputs.reports.markdown import code, escaped
from rnndiag.outputs.words import comparisons as words
from rnndiag.records import Comparison, Finding, LayerPair
from rnndiag.wording import place, title


def render(comparison: Comparison, *, width: int, color: bool, verbose: bool) -> str:
    """A table for each layer; `verbose` adds what did not change."""
    blocks = [f"## rnndiag: {words.verdict(comparison)}", _between(comparison)]
    if comparison.regressions:
        worse = (f"- **{escaped(sentence)}**" for sentence in comparison.regressions)
        blocks.append("\n".join(worse))
    if comparison.improvements:
        better = (f"- better: {escaped(sentence)}" for sentence in comparison.improvements)
        blocks.append("\n".join(better))
    for pair in comparison.pairs:
        blocks += _pair(pair, verbose)
    for heading, findings in words.by_fate(comparison):
        blocks += _findings(heading, findings)
    remarks = [*_alone(comparison), *comparison.notes]
    if remarks:
        blocks.append("\n".join(f"- {escaped(remark)}" for remark in remarks))
    return "\n\n".join(blocks) + "\n"


def _between(comparison: Comparison) -> str:
    before, after = comparison.before.checkpoint.path, comparison.after.checkpoint.path
    return f"{code(before)} → {code(after)}"


def _pair(pair: LayerPair, verbose: bool) -> Iterator[str]:
    yield f"### {code(title(pair.after))}"
    shown = [own for own in pair.changes if verbose or own.verdict in words.OF_NOTE]
    lacking = words.missing(pair)
    if lacking:
        yield "\n".join(f"- {escaped(sentence)}" for sentence in lacking)
    if not shown and not lacking:
        yield "Nothing changed by more than its tolerance."
    if not shown:
        return
    rows = ["| | before | after | |", "|---|---|---|---|"]
    for own in shown:
        unit = f" ({own.unit})" if own.unit not in ("", "share") else ""
        cells = f"{own.label}{unit}", words.before(own), words.after(own), own.verdict
        rows.append(f"| {' | '.join(map(escaped, cells))} |")
    yield "\n".join(rows)


def _findings(heading: str, findings: Sequence[Finding]) -> Iterator[str]:
    yield f"### {heading}"
    yield "\n".join(
        f"- {own.severity} {own.rule} {escaped(own.name)}, {code(place(own) or 'network')}: "
        f"{escaped(own.message)}"
        for own in findings
    )


def _alone(comparison: Comparison) -> Iterator[str]:
    for when, layers in (("before", comparison.only_before), ("after", comparison.only_after)):
        if layers:
            yield f"only {when}: {', '.join(title(layer) for layer in layers)}"
