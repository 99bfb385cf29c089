"""One way for each setting, out of all that findings and trials want of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rnndiag.planning._knobs import KNOBS
from rnndiag.planning._tried import Tried
from rnndiag.planning._values import OFF, Present
from rnndiag.planning._wishes import Rank, Way, Wish, wishes
from rnndiag.records import Report
from rnndiag.records.plan import Conflict

FIRST = ("kernel_decay", "recurrent_decay", "dropout", "recurrent_dropout", "normalization")
"""What document A's concrete advice begins with (what to do 1 to 4)."""
_WORDS: Mapping[Way, str] = {"raise": "more", "lower": "less"}


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Which way a setting is to go, and who says so."""

    knob: str
    way: Way
    followed: tuple[Wish, ...]
    """The worst first."""
    left: tuple[Wish, ...] = ()
    """Those that want the opposite."""
    tried: Tried | None = None
    """What the trials say of it; they have the last word."""

    @property
    def rank(self) -> Rank:
        """How much the first wish knows of the setting."""
        return self.followed[0].rank if self.followed else Rank.OPTION

    @property
    def rules(self) -> set[str]:
        """The codes of the rules that are followed."""
        return {wish.finding.rule for wish in self.followed if wish.finding}

    @property
    def key(self) -> tuple[object, ...]:
        """Where it stands in the plan: by the worst wish, then in the documents' order."""
        order = list(KNOBS).index(self.knob)
        if self.tried is not None and self.tried.value is not None:
            # A ladder that was begun is climbed to its end before another one is; finer values
            # come when there is nothing left that is new.
            return (-1 if self.tried.best is None else len(Rank)), 0, order
        return (*self.followed[0].key[:2], order) if self.followed else (Rank.OPTION, 0, order)


def decide(report: Report, present: Present, tried: Mapping[str, Tried]) -> tuple[Decision, ...]:
    """A decision for every setting that something is wanted of, in the order to try."""
    found = report.judgement.findings if report.judgement else ()
    wanted: dict[str, list[Wish]] = {}
    for finding in found:
        for wish in wishes(finding):
            wanted.setdefault(wish.knob, []).append(wish)
    for wish in _first(present, wanted):
        wanted[wish.knob] = [wish]
    made = [
        _decide(knob, own, tried.get(knob))
        for knob in KNOBS
        if (own := wanted.get(knob, [])) or knob in tried
    ]
    return tuple(sorted(made, key=lambda decision: decision.key))


def _first(present: Present, wanted: Mapping[str, Sequence[Wish]]) -> Iterator[Wish]:
    """The documents' first experiments, of what is not known to be in use already."""
    for knob in FIRST:
        if knob not in wanted and present.of(knob) in (None, 0, OFF):
            yield Wish(knob=knob, way="raise", rank=Rank.OPTION)


def _decide(knob: str, wanted: Sequence[Wish], tried: Tried | None) -> Decision:
    ordered = sorted(wanted, key=lambda wish: wish.key)
    way = ordered[0].way if ordered else "raise"
    return Decision(
        knob=knob,
        way=way,
        followed=tuple(wish for wish in ordered if wish.way == way),
        left=tuple(wish for wish in ordered if wish.way != way),
        tried=tried,
    )


# ---------------------------------------------------------------- what was not followed


def conflicts(decisions: Sequence[Decision]) -> Iterator[Conflict]:
    """Where the findings, or findings and trials, want opposite things."""
    for decision in decisions:
        called = KNOBS[decision.knob].called
        against = decision.followed if decision.tried and decision.tried.scrapped else ()
        if against and decision.rank < Rank.OPTION:
            left = f"{_WORDS[decision.way]} for {_codes(against)}"
            why = "what was tried on this very task knows more than any rule"
            yield Conflict(setting=called, taken="none, by the trials", left=left, why=why)
        # An option that a cause speaks against was no more than a suggestion.
        causes = [wish for wish in decision.left if wish.rank < Rank.OPTION]
        if causes:
            yield Conflict(
                setting=called,
                taken=f"{_WORDS[decision.way]} for {_codes(decision.followed)}",
                left=f"{_WORDS[causes[0].way]} for {_codes(causes)}",
                why=_why(decision.followed[0], causes[0]),
            )


def _codes(followed: Sequence[Wish]) -> str:
    return ", ".join(dict.fromkeys(wish.finding.rule for wish in followed if wish.finding))


def _why(first: Wish, other: Wish) -> str:
    if first.rank < other.rank:
        return "it has measured what this very setting does"
    if first.key[1] < other.key[1]:
        return "it is the worse finding"
    if first.key[2] < other.key[2]:
        return "it is the surer finding"
    return "it names the cause; take the other up again once it is gone"
