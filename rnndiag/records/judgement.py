"""What the rules said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rnndiag.records.common import Direction

Severity = Literal["error", "warning", "note"]
Confidence = Literal["high", "medium", "low"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""From the worst on."""
CONFIDENCES: tuple[Confidence, ...] = ("high", "medium", "low")
"""From the surest on."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The number that a finding rests on; a baseline tells by it whether things got worse."""

    name: str
    """For example ``span`` or ``dead_share``."""
    value: float
    worse: Literal["lower", "higher"]
    """The direction in which it gets worse."""


@dataclass(frozen=True, kw_only=True)
class Advice:
    """One step to try."""

    text: str
    """What to do, with values for this network."""
    source: str
    """The document's section or the paper that it follows, for example ``A: what to do 1``."""
    snippet: str = ""
    """Lines to paste, in the checkpoint's own framework; empty where there are none."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one rule has against one layer, or against the whole network."""

    rule: str
    """The rule's code, ``RNN101``."""
    name: str
    """The rule's name, ``vanishing-gradient``."""
    severity: Severity
    confidence: Confidence
    message: str
    """One sentence with the number and the cut."""
    layer: str | None = None
    """`LayerReport.id`; None for the whole network."""
    direction: Direction | None = None
    call: int = 0
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """What was measured or is known, by name."""
    measured: Measured | None = None
    advice: tuple[Advice, ...] = ()
    """In the order to try."""
    capped: str | None = None
    """Why the severity is lower than the numbers alone would make it."""
    doubt: str | None = None
    """Why the confidence is not higher."""
    known: bool = False
    """Whether the baseline has it already: it does not count."""


@dataclass(frozen=True, kw_only=True)
class Passed:
    """A rule that has nothing against a layer, or against the network."""

    rule: str
    name: str
    layer: str | None = None
    direction: Direction | None = None
    call: int = 0


@dataclass(frozen=True, kw_only=True)
class NotJudged:
    """A rule that could not say anything, and why."""

    rule: str
    name: str
    reason: str
    """With what would enable it, where something would."""
    layer: str | None = None
    direction: Direction | None = None
    call: int = 0
    error: bool = False
    """Whether the rule broke: a fault of rnndiag, not of the checkpoint."""


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """All that the rules said of one checkpoint."""

    findings: tuple[Finding, ...]
    """The worst and surest first."""
    passed: tuple[Passed, ...] = ()
    skipped: tuple[NotJudged, ...] = ()
