"""Which findings appeared from one report to the other, are gone, or cannot be told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from rnndiag.records import SEVERITIES, Finding, LayerPair, LayerReport, NotJudged, Passed, Report

Place = tuple[str | None, str | None, int]
Key = tuple[str, Place]
"""A rule and where it was asked, by the names of the second report."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """The findings that only one of two reports has."""

    appeared: tuple[Finding, ...]
    gone: tuple[Finding, ...]
    first_told: tuple[Finding, ...]
    """Of the second alone; in the first the rule had nothing to go by."""
    no_longer_told: tuple[Finding, ...]
    """Of the first alone; in the second the rule has nothing to go by, or the layer is gone."""


def findings(before: Report, after: Report, pairs: Sequence[LayerPair]) -> Found:
    """What each report alone has found, by whether the other could have found it, too."""
    renamed = {_key(pair.before): _key(pair.after) for pair in pairs}
    first = {_of(found, renamed): found for found in _findings(before)}
    second = {_of(found, {}): found for found in _findings(after)}
    new = {key: found for key, found in second.items() if _is_news(found, first.get(key))}
    old = {key: found for key, found in first.items() if key not in second}
    mute = {_of(own, renamed) for own in _unasked(before)}
    told = {_of(own, {}) for own in _answers(after)}
    return Found(
        appeared=_only(new, lambda key: key not in mute),
        gone=_only(old, lambda key: key in told),
        first_told=_only(new, lambda key: key in mute),
        no_longer_told=_only(old, lambda key: key not in told),
    )


def _is_news(found: Finding, earlier: Finding | None) -> bool:
    """What was not there, or is more severe than it was."""
    if earlier is None:
        return True
    return SEVERITIES.index(found.severity) < SEVERITIES.index(earlier.severity)


def _only(found: Mapping[Key, Finding], wanted: Callable[[Key], bool]) -> tuple[Finding, ...]:
    return tuple(own for key, own in found.items() if wanted(key))


def _findings(report: Report) -> tuple[Finding, ...]:
    return report.judgement.findings if report.judgement else ()


def _unasked(report: Report) -> tuple[NotJudged, ...]:
    return report.judgement.skipped if report.judgement else ()


def _answers(report: Report) -> Iterable[Passed]:
    return report.judgement.passed if report.judgement else ()


def _key(layer: LayerReport) -> Place:
    return layer.id, layer.direction, layer.call


def _of(own: Finding | NotJudged | Passed, renamed: Mapping[Place, Place]) -> Key:
    place: Place = (own.layer, own.direction, own.call)
    return own.rule, renamed.get(place, place)
