"""Contestants that take turns, so that whatever else a machine does falls on all of them.

A B C A B C …, after a round that does not count; what is told is medians and ratios of them.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

Clock = Callable[[], float]


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """Something to be timed."""

    name: str
    run: Callable[[], object]
    around: Callable[[], AbstractContextManager[object]] = nullcontext
    """What a run stands in without being timed: threads, the treatment of denormal numbers."""
    rounds: int | None = None
    """How many rounds it takes part in, where not in all: it is known to be slow."""


@dataclass(frozen=True)
class Times:
    """One contestant's times in seconds, by the number of the round."""

    rounds: dict[int, float] = field(default_factory=dict)

    @property
    def median(self) -> float:
        return statistics.median(self.rounds.values())

    @property
    def quickest(self) -> float:
        return min(self.rounds.values())

    @property
    def total(self) -> float:
        return sum(self.rounds.values())


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How often contestants run."""

    rounds: int = 5
    """Rounds that count, for all whose runs are quick."""
    least: int = 3
    """Rounds that count even for the slowest."""
    seconds: float = 5.0
    """What a contestant may take in all before the least number of rounds is enough."""

    def goes_on(self, contestant: Contestant, times: Times, number: int) -> bool:
        """Whether a contestant that has taken such times runs in round `number`."""
        if contestant.rounds is not None:
            return number < contestant.rounds
        return number < self.least or times.total < self.seconds


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """Two contestants' medians, one over the other."""

    value: float
    quickest: float
    """Of the quickest runs: what is left of a ratio where others keep the machine busy."""
    low: float
    """The least ratio of two runs of the same round, and …"""
    high: float
    """… the greatest: how far the machine's noise reaches."""


def alternate(
    contestants: Sequence[Contestant], pace: Pace, clock: Clock = time.perf_counter
) -> dict[str, Times]:
    """Each contestant's times by its name; a slow one sits out the last rounds."""
    for contestant in contestants:
        _timed(contestant, clock)
    found = {contestant.name: Times() for contestant in contestants}
    for number in range(pace.rounds):
        for contestant in contestants:
            times = found[contestant.name]
            if pace.goes_on(contestant, times, number):
                times.rounds[number] = _timed(contestant, clock)
    return found


def _timed(contestant: Contestant, clock: Clock) -> float:
    with contestant.around():
        start = clock()
        contestant.run()
        return clock() - start


def ratio(ours: Times, theirs: Times) -> Ratio:
    """The ratio of the medians, and the reach of those of single rounds that both took part in."""
    both = ours.rounds.keys() & theirs.rounds.keys()
    single = [ours.rounds[number] / theirs.rounds[number] for number in both]
    return Ratio(
        value=ours.median / theirs.median,
        quickest=ours.quickest / theirs.quickest,
        low=min(single),
        high=max(single),
    )
