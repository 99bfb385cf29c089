"""Which findings appeared from one report to the other, and which are gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rnndiag.records import Finding, LayerPair, LayerReport, Report


def findings(
    before: Report, after: Report, pairs: Sequence[LayerPair]
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Those that appeared and those that are gone; of layers without a match all."""
    renamed = {_key(pair.before): _key(pair.after) for pair in pairs}
    first = {_of(found, renamed): found for found in _all(before)}
    second = {_of(found, {}): found for found in _all(after)}
    appeared = tuple(found for key, found in second.items() if key not in first)
    return appeared, tuple(found for key, found in first.items() if key not in second)


def _all(report: Report) -> tuple[Finding, ...]:
    return report.judgement.findings if report.judgement else ()


Place = tuple[str | None, str | None, int]


def _key(layer: LayerReport) -> Place:
    return layer.id, layer.direction, layer.call


def _of(found: Finding, renamed: Mapping[Place, Place]) -> tuple[str, Place]:
    own: Place = (found.layer, found.direction, found.call)
    return found.rule, renamed.get(own, own)
