"""Changes in a few words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rnndiag.records import Change, Comparison, Finding, LayerPair
from rnndiag.wording import counted, number, percent, place, title

_COUNTS = ("error", "warning")
"""A finding of less is no regression when it appears."""
_LARGEST_WHOLE = 1e6


def verdict(comparison: Comparison) -> str:
    """What it comes to, in a line."""
    if not comparison.pairs:
        told = zip((comparison.before, comparison.after), ("BEFORE", "AFTER"), strict=True)
        empty = [name for own, name in told if not any(layer.analysed for layer in own.layers)]
        return f"nothing compared: {' and '.join(empty)} without a recurrent layer to analyse"
    count = len(comparison.regressions)
    return counted(count, "regression") if count else "no regression"


def by_fate(comparison: Comparison) -> Iterator[tuple[str, tuple[Finding, ...]]]:
    """The findings that only one of the two has, under their headings; none without any."""
    fates = {
        "Findings that appeared": comparison.appeared,
        "Findings that are gone": comparison.gone,
        "Findings that the first file could not tell": comparison.first_told,
        "Findings that the second file cannot tell": comparison.no_longer_told,
    }
    yield from ((heading, findings) for heading, findings in fates.items() if findings)


def worse(pairs: Sequence[LayerPair]) -> Iterator[str]:
    """A sentence for each quantity that got worse."""
    for pair in pairs:
        for change in pair.changes:
            if change.verdict == "worse":
                yield f"{title(pair.after)}: {change.label} {told(change)}"


def new(appeared: Sequence[Finding]) -> Iterator[str]:
    """A sentence for each finding that appeared and counts."""
    for found in appeared:
        if found.severity in _COUNTS and not found.known:
            where = place(found) or "network"
            yield f"{where}: new {found.severity} {found.rule} {found.name}: {found.message}"


def told(change: Change) -> str:
    """``12 → 4 timesteps``; shares as percentages."""
    unit = f" {change.unit}" if change.unit not in ("", "share") else ""
    return f"{before(change)} → {after(change)}{unit}"


def before(change: Change) -> str:
    """The value before, without its unit."""
    return _value(change.before, change.unit, bound=change.before_at_least)


def after(change: Change) -> str:
    """The value after, without its unit."""
    return _value(change.after, change.unit, bound=change.after_at_least)


def _value(value: float | None, unit: str, *, bound: bool) -> str:
    if unit == "share":
        return percent(value)
    text = number(value)
    if value is not None and math.isfinite(value) and value == int(value):
        text = f"{int(value)}" if abs(value) < _LARGEST_WHOLE else text
    return f"≥ {text}" if bound else text
