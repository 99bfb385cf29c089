"""How much each quantity of a pair of layers changed, and whether that is worse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rnndiag.comparing._quantities import Quantity
from rnndiag.records import Change, LayerPair, LayerReport, Verdict


@dataclass(frozen=True, kw_only=True)
class _Side:
    """What one of the two layers tells of a quantity."""

    value: float | None
    at_least: bool
    """Whether the value is only a lower bound."""
    endless: bool
    """Whether there is none because nothing decays."""

    @property
    def known(self) -> bool:
        return self.value is not None or self.endless

    def reaches(self, lag: int) -> bool | None:
        """Whether a span covers the lag; None where the probe ends before that can be seen."""
        assert self.value is not None
        return True if self.value >= lag else None if self.at_least else False


def pair(
    before: LayerReport,
    after: LayerReport,
    how: Literal["name", "order and shape"],
    quantities: Sequence[Quantity],
    lag: int | None = None,
) -> LayerPair:
    """What changed between two layers that answer to each other; what neither tells is left out.

    Where the task's `lag` is known, spans are judged by whether they reach it.
    """
    changes = []
    for quantity in quantities:
        sides = _side(before, quantity), _side(after, quantity)
        if any(side.known for side in sides):
            changes.append(_change(*sides, quantity, lag))
    return LayerPair(before=before, after=after, matched_by=how, changes=tuple(changes))


def _side(layer: LayerReport, quantity: Quantity) -> _Side:
    fact = layer.fact(quantity.fact)
    value = quantity.of(layer)
    decays = getattr(fact, "decay_per_step", None) is not None
    return _Side(
        value=value,
        at_least=quantity.name == "span" and bool(getattr(fact, "censored", False)),
        endless=quantity.name == "half_life" and decays and value is None,
    )


def _change(before: _Side, after: _Side, quantity: Quantity, lag: int | None) -> Change:
    return Change(
        name=quantity.name,
        label=quantity.label,
        unit=quantity.unit,
        measurement=quantity.fact,
        before=before.value,
        after=after.value,
        before_at_least=before.at_least,
        after_at_least=after.at_least,
        before_endless=before.endless,
        after_endless=after.endless,
        tolerance=quantity.tolerance,
        relative=quantity.relative,
        verdict=_verdict(before, after, quantity, lag),
    )


def _verdict(before: _Side, after: _Side, quantity: Quantity, lag: int | None) -> Verdict:
    if not (before.known and after.known):
        return "unknown"
    if before.value is None or after.value is None:
        return "same" if before.value == after.value else "changed"
    return _judged(before, after, quantity, lag)


def _judged(before: _Side, after: _Side, quantity: Quantity, lag: int | None) -> Verdict:
    """Of two values."""
    assert before.value is not None
    assert after.value is not None
    reached = _reached(before, after, quantity, lag)
    if reached == (False, True):
        return "better"
    if reached == (True, False):
        return "worse"
    if (before.at_least and after.at_least) or not _differ(before.value, after.value, quantity):
        return "same"
    # The task asks for no more than its lag: what lies beyond it is no loss.
    if quantity.worse is None or reached == (True, True):
        return "changed"
    less = after.value < before.value
    return "worse" if less == (quantity.worse == "less") else "better"


def _reached(
    before: _Side, after: _Side, quantity: Quantity, lag: int | None
) -> tuple[bool | None, bool | None]:
    """Whether each of two spans covers the lag; None where that is not asked, or not seen."""
    if lag is None or quantity.name != "span":
        return None, None
    return before.reaches(lag), after.reaches(lag)


def _differ(before: float, after: float, quantity: Quantity) -> bool:
    if before == after:
        return False
    allowed = quantity.tolerance * (abs(before) if quantity.relative else 1.0)
    return not abs(after - before) <= allowed
