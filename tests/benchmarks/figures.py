"""What a row of the benchmarks finds, and how much work it may be."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.benchmarks.contest import Pace, Ratio, Times, ratio


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How much a row may do."""

    quick: bool = False
    """Whether the whole table has to be there in a minute: less of everything."""
    pace: Pace = field(default_factory=Pace)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure of a row."""

    what: str
    """What was measured, and on what."""
    against: str
    """What it is held against."""
    value: float | None
    """None where it was not measured: `note` says why."""
    target: float | None = None
    """What it has to be at most; None for a figure that only informs."""
    unit: str = "×"
    spread: Ratio | None = None
    """Where `value` is a ratio of medians: its quickest runs, and how far single rounds reach."""
    note: str = ""
    """What the figure was made of."""

    @property
    def reached(self) -> bool | None:
        """Whether the target was reached; None where there is none, or no value.

        By the medians and by the quickest runs: on a busy machine a peer with several threads
        loses more than one with a single thread, which says nothing of either.
        """
        if self.value is None or self.target is None:
            return None
        quickest = self.value if self.spread is None else self.spread.quickest
        return max(self.value, quickest) <= self.target


def compared(
    what: str, against: str, ours: Times, theirs: Times, target: float | None = None
) -> Figure:
    """The ratio of two contestants' medians."""
    found = ratio(ours, theirs)
    return Figure(
        what=what,
        against=against,
        value=found.value,
        spread=found,
        target=target,
        note=f"{duration(ours.median)} / {duration(theirs.median)}",
    )


def left_out(what: str, against: str, why: str, target: float | None = None) -> Figure:
    """A figure that was not measured."""
    return Figure(what=what, against=against, value=None, target=target, note=why)


def duration(seconds: float) -> str:
    """A time as people read it."""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.3g} ms"
