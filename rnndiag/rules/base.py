"""What every rule is made of: what it is, its thresholds, and what it may answer.

A rule is a module of this folder, called as the rule is (`vanishing_gradient` for
``vanishing-gradient``). It holds a docstring, which is its documentation and has the headings
`HEADINGS`; ``RULE``, a `Rule`; ``Cuts``, its `Thresholds`, if it has any; and ``check``.

``check`` gets what its parameters ask for by their types (see `rnndiag.asking`), for one
layer where it asks for anything of a layer, else for the network. A fact that is not there
makes the rule skipped, unless the type allows None. It returns a `Fired`, or None where all is
well, or `Skipped` where the facts are there but do not fit the question.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NewType, overload

from rnndiag.errors import BadOption
from rnndiag.records import Advice, Confidence, Measured, Severity, Skipped

HEADINGS = ("What it means", "Why it matters", "What to do", "ELI5", "Sources")
"""Of a rule's docstring, below its first line; each stands alone on a line of its own."""

NO_SERIES = Skipped(reason="no earlier checkpoints: give --series FILES")
"""The answer of a rule that needs a series where there is none."""

Lag = NewType("Lag", int)
"""How many timesteps back the task has to remember: ``--lag``."""
RestsOn = Literal["memory", "activity", "weights", "facts"]
"""What a rule's answer was read from; see `Rule.rests_on`."""
Profile = NewType("Profile", str)
"""Whose word counts where the two documents disagree, ``a`` or ``b``: ``--profile``."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What a rule is, apart from what it says."""

    code: str
    """``RNN`` and three digits; the first tells the family."""
    severity: Severity
    """What its findings have, where the numbers do not tell otherwise."""
    rests_on: RestsOn
    """What noise in the place of real input can spoil: *memory* (gradients through time), which
    makes it a note; *activity* (states and gates), at most a warning; *weights* and *facts*
    (files, settings, histories) not at all."""

    @property
    def family(self) -> str:
        """What its rules are about."""
        return FAMILIES[self.code[3]]


FAMILIES = {
    "1": "gradients through time",
    "2": "units and gates",
    "3": "weights",
    "4": "settings",
    "5": "data and architecture",
    "6": "training history",
}


class Cut:
    """One threshold of a rule: its default, its unit, and where the number comes from.

    It has to be above 0, as it is divided by or compared with sizes, unless `least` is given: the
    lowest that makes sense.
    """

    def __init__(
        self, default: float, unit: str, source: str, *, least: float | None = None
    ) -> None:
        self.default = default
        self.unit = unit
        self.source = source
        self.least = least

    def check(self, value: float, rule: str) -> None:
        """Raise `BadOption` where `value` is no number that `rule` can work with."""
        told = f"the threshold {self.name} of {rule} is"
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise BadOption(f"{told} {value!r}", "it must be a number")
        fits = value > 0 if self.least is None else value >= self.least
        if not math.isfinite(value) or not fits:
            low = "above 0" if self.least is None else f"of at least {self.least:g}"
            must = "finite" if self.least == -math.inf else f"finite and {low}"
            raise BadOption(f"{told} {value:g}", f"it must be {must}")

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Cut: ...
    @overload
    def __get__(self, instance: Thresholds, owner: type) -> float: ...
    def __get__(self, instance: Thresholds | None, owner: type) -> Cut | float:
        """The cut itself on the class, the number on an instance."""
        return self if instance is None else instance.chosen.get(self.name, self.default)


class Thresholds:
    """The cuts of one rule, with what a user has chosen in place of the defaults."""

    def __init__(self, chosen: Mapping[str, float] | None = None) -> None:
        """Raises `BadOption` for a threshold that the rule does not have, or that is no size."""
        self.chosen = dict(chosen or {})
        for name, value in self.chosen.items():
            if name not in self.cuts():
                known = ", ".join(self.cuts()) or "none"
                raise BadOption(f"there is no threshold {name!r}", f"known: {known}")
            rule = type(self).__module__.rpartition(".")[2].replace("_", "-")
            self.cuts()[name].check(value, rule)

    @classmethod
    def cuts(cls) -> dict[str, Cut]:
        """Every threshold by its name, in the order in which the rule states them."""
        return {name: cut for name, cut in vars(cls).items() if isinstance(cut, Cut)}


@dataclass(frozen=True, kw_only=True)
class Fired:
    """A rule's answer where it has something to say."""

    message: str
    """One sentence with the number and the cut; it begins small and has no full stop."""
    advice: Sequence[Advice]
    """In the order to try."""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """What was measured or is known, by name: numbers, texts and lists of them."""
    measured: Measured | None = None
    """The number that the message is about: a baseline compares by it."""
    severity: Severity | None = None
    """Where it is another than the rule's own."""
    rests_on: RestsOn | None = None
    """Where this answer rests on something else than the rule's others do."""
    confidence: Confidence = "high"
    """The most that the facts allow; made-up input and assumed wiring lower it further."""
    doubt: str | None = None
    """Why the confidence is not high, where the rule itself says that it is not."""
    capped: str | None = None
    """Why the severity is lower than the numbers alone would make it, where the rule lowers it."""


def step(text: str, source: str, snippet: str = "") -> Advice:
    """One step of advice, shorter to write."""
    return Advice(text=text, source=source, snippet=snippet)


def worse(name: str, value: float) -> Measured:
    """A number that is worse the higher it is."""
    return Measured(name=name, value=float(value), worse="higher")


def short(name: str, value: float) -> Measured:
    """A number that is worse the lower it is."""
    return Measured(name=name, value=float(value), worse="lower")


def by_cuts(value: float, warning: float, error: float) -> Severity | None:
    """The severity of a number that is bad when high; None where it is no higher than `warning`."""
    return "error" if value > error else "warning" if value > warning else None
