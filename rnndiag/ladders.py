"""Ladders: document A's procedures of trying one setting, step by step (what to do 1-5).

A rung is *better* than another if its metric is strictly better. Two rungs are compared by their
best trials among those that differ in nothing but the setting; only where there is no such pair
by their best trials of all, and the answer says so. Several trials of one setting, such as
other seeds, thus count by the best of them, on both sides alike.

The first rung has to be better than the baseline, the trials that do not use the setting (it is
not there, 0 or False); the second has to be better than the first. What is kept is the best of all
values that were tried, on the ladder or off it, if it is better than the baseline. The decays are
compared with each other, as the document has it, and with a baseline only where there is one.

A ``weight_decay`` without separate values stands for that of kernel, recurrent kernel and bias.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from rnndiag.errors import BadOption
from rnndiag.evidence.tabular import is_bookkeeping
from rnndiag.records import Trial, Trials

Value = float | bool


@dataclass(frozen=True, kw_only=True)
class Next:
    """What to do next on a ladder."""

    ladder: str
    value: Value | None
    """To try next: 0 or False is the baseline. None where the ladder is finished."""
    keep: Value | Literal["scrap"] | None
    """Where the ladder is finished: what to keep, or ``scrap`` if nothing helped."""
    reason: str
    """One sentence with the trials' numbers; it begins small and has no full stop."""
    source: str
    """The document's section."""


@dataclass(frozen=True, kw_only=True)
class _Ladder:
    called: str
    section: str
    rungs: tuple[Value, ...]
    climbs: bool = True
    """Whether a rung is worth trying only if the one below it was better; else all are."""
    fallback: Value | None = None
    """What to try in the place of the last rung where the one below it was not better."""


LADDERS: Mapping[str, _Ladder] = {
    "dropout": _Ladder(called="dropout", section="A: what to do 2", rungs=(0.1, 0.2)),
    "recurrent_dropout": _Ladder(
        called="recurrent dropout",
        section="A: what to do 3",
        rungs=(0.2, 0.4, 0.5),
        fallback=0.3,
    ),
    "kernel_decay": _Ladder(
        called="kernel decay", section="A: what to do 1", rungs=(1e-3, 1e-4), climbs=False
    ),
    "recurrent_decay": _Ladder(
        called="recurrent decay", section="A: what to do 1", rungs=(1e-3, 1e-4), climbs=False
    ),
    "batch_normalization": _Ladder(
        called="batch normalization", section="A: what to do 4", rungs=(True,)
    ),
    "recurrent_batch_normalization": _Ladder(
        called="recurrent batch normalization", section="A: what to do 5", rungs=(True,)
    ),
}
"""By the setting's name in `Trial.settings`."""


def next_step(ladder: str, trials: Trials) -> Next:
    """The next value to try of the setting `ladder`, or what to keep of it.

    Raises `BadOption` for a ladder that is not in `LADDERS`.
    """
    if ladder not in LADDERS:
        near = get_close_matches(ladder, LADDERS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(LADDERS)}"
        raise BadOption(f"there is no ladder {ladder!r}", hint)
    return _Climb(ladder, trials).next_step()


@dataclass(frozen=True, kw_only=True)
class _Comparison:
    """Two values of a setting, by the metrics of two trials."""

    upper: float
    lower: float
    better: bool
    """Whether the upper one is better than the lower one."""
    alike: bool
    """Whether the two trials differ in nothing else."""


class _Climb:
    """One ladder, and the trials by their value of its setting."""

    def __init__(self, name: str, trials: Trials) -> None:
        self.name = name
        self.ladder = LADDERS[name]
        self.trials = trials
        self.sign = 1.0 if trials.lower_is_better else -1.0
        self.baseline: Value = False if self.ladder.rungs == (True,) else 0.0
        self.tried: dict[Value, dict[str, float]] = {}
        for trial in trials.trials:
            self._add(trial)

    def next_step(self) -> Next:
        """The baseline, else the first rung that is worth trying and was not, else the end."""
        needed = self.ladder.climbs or not self.tried
        if self.baseline not in self.tried and needed:
            return self._try(self.baseline, f"no trial is without {self.ladder.called} yet")
        below = self.baseline
        for rung in self._rungs():
            if rung not in self.tried:
                return self._try(rung, self._so_far(below))
            if self.ladder.climbs and not self._compare(rung, below).better:
                return self._fallen(rung, below)
            below = rung
        return self._finished()

    def _rungs(self) -> Sequence[Value]:
        """The ladder upwards; of values that are only compared, first what is next to the best."""
        values = [value for value in self.tried if value]
        if self.ladder.climbs or not values:
            return self.ladder.rungs
        best = min(values, key=lambda value: min(self.tried[value].values()))
        return sorted(self.ladder.rungs, key=lambda rung: abs(math.log(rung / best)))

    def _fallen(self, rung: Value, below: Value) -> Next:
        """After a rung that was not better than the one below it."""
        fallback = self.ladder.fallback
        below_the_last = rung in self.ladder.rungs[-2:-1]
        if fallback is not None and below_the_last and fallback not in self.tried:
            return self._try(fallback, self._told(rung, below))
        return self._finished()

    def _finished(self) -> Next:
        """What is better than the baseline, where there is one, and of that the best."""
        values = sorted(value for value in self.tried if value != self.baseline)
        base = [self.baseline] if self.baseline in self.tried else []
        helping = [v for v in values if all(self._compare(v, own).better for own in base)]
        if not helping:
            told = [self._told(value, self.baseline) for value in values]
            return self._next(keep="scrap", reason="; ".join(told))
        best = helping[0]
        for value in helping[1:]:
            best = value if self._compare(value, best).better else best
        told = [self._told(best, value) for value in (*base, *values) if value != best]
        return self._next(keep=best, reason="; ".join(told))

    def _try(self, value: Value, why: str) -> Next:
        return self._next(value=value, reason=f"{why}: try {self._with(value)} next")

    def _next(
        self,
        *,
        reason: str,
        value: Value | None = None,
        keep: Value | Literal["scrap"] | None = None,
    ) -> Next:
        section = self.ladder.section
        return Next(ladder=self.name, value=value, keep=keep, reason=reason, source=section)

    def _add(self, trial: Trial) -> None:
        """Keep the best of the trials that differ in nothing that counts."""
        settings = _expanded(trial.settings)
        alike = self.tried.setdefault(self._value(settings.pop(self.name, None)), {})
        key = _key(settings)
        alike[key] = min(alike.get(key, math.inf), self.sign * trial.metric)

    def _value(self, setting: object) -> Value:
        """The rung that a trial stands on, or its own value between the rungs."""
        if isinstance(self.baseline, bool):
            return bool(setting)
        value = float(setting) if isinstance(setting, (int, float)) else 0.0
        known = (*self.ladder.rungs, *filter(None, [self.ladder.fallback]))
        return next((rung for rung in known if math.isclose(rung, value)), value)

    def _compare(self, upper: Value, lower: Value) -> _Comparison:
        above, below = self.tried[upper], self.tried[lower]
        shared = above.keys() & below.keys()
        if shared:
            best = min(shared, key=lambda key: (above[key], below[key]))
            first, second = above[best], below[best]
        else:
            first, second = min(above.values()), min(below.values())
        return _Comparison(
            upper=self.sign * first,
            lower=self.sign * second,
            better=first < second,
            alike=bool(shared),
        )

    def _so_far(self, below: Value) -> str:
        """What leads to the rung above `below`."""
        rungs = [self.baseline, *self.ladder.rungs]
        if self.ladder.climbs and below != self.baseline:
            return self._told(below, rungs[rungs.index(below) - 1])
        first = min(self.tried, key=lambda value: min(self.tried[value].values()))
        known = below if self.baseline in self.tried else first
        best = self.sign * min(self.tried[known].values())
        return f"{self.trials.metric} is {best:.4g} {self._with(known)}"

    def _told(self, upper: Value, lower: Value) -> str:
        found = self._compare(upper, lower)
        verdict = "better" if found.better else "no better"
        note = "" if found.alike else ", though other settings differ too"
        return (
            f"{self.trials.metric} {found.upper:.4g} {self._with(upper)} is {verdict} than "
            f"{found.lower:.4g} {self._with(lower)}{note}"
        )

    def _with(self, value: Value) -> str:
        if isinstance(value, bool) or not value:
            return f"{'with' if value else 'without'} {self.ladder.called}"
        return f"with {self.ladder.called} {value:g}"


def _expanded(settings: Mapping[str, object]) -> dict[str, object]:
    """Settings with a decay of its own for each matrix."""
    separate = dict(settings)
    decay = separate.pop("weight_decay", None)
    for name in ("kernel_decay", "recurrent_decay", "bias_decay"):
        separate.setdefault(name, decay)
    return separate


def _key(settings: Mapping[str, object]) -> str:
    """A text that is the same for trials that differ in nothing that counts.

    What is off is as good as absent; 64 and 64.0 are the same.
    """
    counting = {
        name: value for name, value in settings.items() if value and not is_bookkeeping(name)
    }
    plain = {
        name: float(value) if isinstance(value, int) else value for name, value in counting.items()
    }
    return repr(sorted(plain.items()))
