"""What to try next, and what to search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Value = float | int | str | bool
Kind = Literal["log_uniform", "uniform", "int", "categorical"]


@dataclass(frozen=True, kw_only=True)
class Reason:
    """One finding that asks for a step."""

    rule: str
    """The rule's code."""
    name: str
    message: str
    layer: str | None = None
    """`LayerReport.id`; None for the whole network."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing to change. One at a time: otherwise nobody knows which of them it was."""

    kind: Literal["repair", "try", "last"]
    """Whether it comes before anything is tuned, is tuned, or is left for the end."""
    setting: str
    """As a file for ``--trials`` calls it."""
    text: str
    """What to do, with values for this network."""
    value: Value | None = None
    """To set; None where the step is no value."""
    before: Value | None = None
    """What it is now; None where that is not known."""
    reasons: tuple[Reason, ...] = ()
    """What asks for it, the worst first; empty for the documents' first experiments."""
    source: str
    """The document's section, or the paper."""
    watch: str = ""
    """What should be seen if it works, besides a better validation."""
    snippet: str = ""
    """Lines to paste; those of what is tuned keep what the steps before it set."""


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One dimension of the search space."""

    name: str
    """As a file for ``--trials`` calls it, so that a study can be read back."""
    argument: str
    """The key under which ``suggest`` gives it, in the framework's own words."""
    use: str
    """Where that goes: ``keras.regularizers.L2(…)`` on which argument, which optimizer group."""
    kind: Kind
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    """Of a categorical parameter."""
    ladder: tuple[Value, ...] = ()
    """The documents' own values, which are worth a trial each before a search guesses."""
    why: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Tied:
    """A setting that follows from searched ones: the smallest of them."""

    name: str
    argument: str
    use: str
    least_of: tuple[str, ...]
    """Names of parameters."""
    at_most: float | None = None
    """A bound from what is not searched; None where there is none."""
    why: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Unsearched:
    """A setting that is deliberately left out of the search."""

    setting: str
    why: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Conflict:
    """Findings that want a setting up and down, and which of them was followed."""

    setting: str
    taken: str
    """``raise for RNN101``, ``lower for the trials``."""
    left: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Best:
    """The best of the trials."""

    metric: str
    value: float | None
    """None where even the best one diverged."""
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to try next with one checkpoint; every format is a function of it."""

    rnndiag_version: str
    exit_code: int
    """0 for a plan, 3 where no recurrent layer could be analysed."""
    checkpoint: str
    framework: str
    parameters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Names of the recurrent layers' arrays: ``kernel``, ``recurrent``, ``bias``."""
    summary: str
    """What the plan follows from, in one sentence."""
    findings: int
    steps: tuple[Step, ...] = ()
    """In the order to try."""
    space: tuple[Parameter, ...] = ()
    tied: tuple[Tied, ...] = ()
    unsearched: tuple[Unsearched, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    best: Best | None = None
    """None without trials."""
    notes: tuple[str, ...] = ()
    schema_version: int = 1
