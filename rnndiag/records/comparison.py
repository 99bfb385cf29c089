"""What changed from one checkpoint to another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rnndiag.records.judgement import Finding
from rnndiag.records.report import LayerReport, Report

Verdict = Literal["better", "worse", "same", "changed", "unknown"]
"""*changed* is more than the tolerance, of what is neither good nor bad in itself; *unknown* is
what only one of the two tells."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One quantity of one layer, before and after."""

    name: str
    """``span``, ``recurrent_norm``: its name in options and in JSON."""
    label: str
    """As tables call it."""
    unit: str
    measurement: str
    """Which one it is from."""
    before: float | None
    after: float | None
    before_at_least: bool = False
    """Whether the value is only a lower bound, as a span that the probe cuts short."""
    after_at_least: bool = False
    before_endless: bool = False
    """Whether there is no value because nothing decays, as a half-life of what does not fall."""
    after_endless: bool = False
    tolerance: float
    """Up to which a change counts as none."""
    relative: bool
    """Whether the tolerance is a share of the value before, else a difference."""
    verdict: Verdict


@dataclass(frozen=True, kw_only=True)
class LayerPair:
    """A layer and direction of the one, and what answers to it in the other."""

    before: LayerReport
    after: LayerReport
    matched_by: Literal["name", "order and shape"]
    changes: tuple[Change, ...]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two judged reports side by side."""

    before: Report
    after: Report
    pairs: tuple[LayerPair, ...]
    only_before: tuple[LayerReport, ...] = ()
    only_after: tuple[LayerReport, ...] = ()
    appeared: tuple[Finding, ...] = ()
    """Findings of the second that the first has not at the layer that answers to it, though it
    could have."""
    gone: tuple[Finding, ...] = ()
    """Findings of the first whose rules the second passes."""
    first_told: tuple[Finding, ...] = ()
    """Findings of the second whose rules had nothing to go by in the first: no news of a change."""
    no_longer_told: tuple[Finding, ...] = ()
    """Findings of the first whose rules have nothing to go by in the second."""
    regressions: tuple[str, ...] = ()
    """What got worse, in a sentence each."""
    improvements: tuple[str, ...] = ()
    """What got better, in a sentence each."""
    lag: int | None = None
    """Timesteps that the task has to remember, where the user told."""
    notes: tuple[str, ...] = ()
    exit_code: int = 0
    schema_version: int = 1
