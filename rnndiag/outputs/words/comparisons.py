"""Comparisons in words: what their formats, the page and the figures share."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rnndiag.outputs._grid import grouped
from rnndiag.records import Change, Comparison, Finding, LayerPair, LayerReport, Skipped, Verdict
from rnndiag.wording import counted, number, percent, place, title

_COUNTS = ("error", "warning")
"""A finding of less is no regression when it appears."""
_LARGEST_WHOLE = 1e6
_ENDLESS = "no decay"
OF_NOTE = ("worse", "better", "changed")
"""Verdicts whose quantities are always listed; of what is unknown a sentence tells why."""


def verdict(comparison: Comparison) -> str:
    """What it comes to, in a line."""
    if not comparison.pairs:
        told = zip((comparison.before, comparison.after), ("BEFORE", "AFTER"), strict=True)
        empty = [name for own, name in told if not any(layer.analysed for layer in own.layers)]
        return f"nothing compared: {' and '.join(empty)} without a recurrent layer to analyse"
    worse, better = len(comparison.regressions), len(comparison.improvements)
    told_worse = counted(worse, "regression") if worse else "no regression"
    return f"{told_worse}, {counted(better, 'improvement')}" if better else told_worse


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
    return _judged(pairs, "worse")


def better(pairs: Sequence[LayerPair]) -> Iterator[str]:
    """A sentence for each quantity that got better."""
    return _judged(pairs, "better")


def _judged(pairs: Sequence[LayerPair], verdict: Verdict) -> Iterator[str]:
    for pair in pairs:
        for change in pair.changes:
            if change.verdict == verdict:
                yield f"{title(pair.after)}: {change.label} {told(change)}"


def new(appeared: Sequence[Finding]) -> Iterator[str]:
    """A sentence for each finding that appeared and counts."""
    for found in appeared:
        if found.severity in _COUNTS and not found.known:
            where = place(found) or "network"
            yield f"{where}: new {found.severity} {found.rule} {found.name}: {found.message}"


def settled(gone: Sequence[Finding]) -> Iterator[str]:
    """A sentence for each finding that is gone and counted."""
    for found in gone:
        if found.severity in _COUNTS and not found.known:
            where = place(found) or "network"
            yield f"{where}: {found.severity} {found.rule} {found.name} is gone"


def missing(pair: LayerPair) -> list[str]:
    """A sentence for each reason why quantities are told of one of the two layers alone."""
    reasons = grouped(
        (_lacking(pair, own), own.label) for own in pair.changes if own.verdict == "unknown"
    )
    return [
        f"not measured {when}: {', '.join(labels)}: {why}"
        for (when, why), labels in reasons.items()
    ]


def _lacking(pair: LayerPair, change: Change) -> tuple[str, str]:
    """Which of the two does not tell, and why."""
    if change.before is None and not change.before_endless:
        return "before", _reason(pair.before, change.measurement)
    return "after", _reason(pair.after, change.measurement)


def _reason(layer: LayerReport, measurement: str) -> str:
    fact = layer.measurements.get(measurement)
    return fact.reason if isinstance(fact, Skipped) else f"{measurement} does not tell"


def told(change: Change) -> str:
    """``12 → 4 timesteps``; shares as percentages."""
    plain = change.after is None or change.unit in ("", "share")
    unit = "" if plain else f" {change.unit}"
    return f"{before(change)} → {after(change)}{unit}"


def before(change: Change) -> str:
    """The value before, without its unit."""
    if change.before_endless:
        return _ENDLESS
    return _value(change.before, change.unit, bound=change.before_at_least)


def after(change: Change) -> str:
    """The value after, without its unit."""
    if change.after_endless:
        return _ENDLESS
    return _value(change.after, change.unit, bound=change.after_at_least)


def _value(value: float | None, unit: str, *, bound: bool) -> str:
    if unit == "share":
        return percent(value)
    text = number(value)
    if value is not None and math.isfinite(value) and value == int(value):
        text = f"{int(value)}" if abs(value) < _LARGEST_WHOLE else text
    return f"≥ {text}" if bound else text
