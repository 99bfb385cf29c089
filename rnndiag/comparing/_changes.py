"""How much each quantity of a pair of layers changed, and whether that is worse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from rnndiag.comparing._quantities import Quantity
from rnndiag.records import Change, LayerPair, LayerReport, Verdict


def pair(
    before: LayerReport,
    after: LayerReport,
    how: Literal["name", "order and shape"],
    quantities: Sequence[Quantity],
) -> LayerPair:
    """What changed between two layers that answer to each other; what neither tells is left out."""
    changes = (_change(before, after, quantity) for quantity in quantities)
    kept = tuple(own for own in changes if own.before is not None or own.after is not None)
    return LayerPair(before=before, after=after, matched_by=how, changes=kept)


def _change(before: LayerReport, after: LayerReport, quantity: Quantity) -> Change:
    values = quantity.of(before), quantity.of(after)
    bounds = _is_bound(before, quantity), _is_bound(after, quantity)
    return Change(
        name=quantity.name,
        label=quantity.label,
        unit=quantity.unit,
        before=values[0],
        after=values[1],
        before_at_least=bounds[0],
        after_at_least=bounds[1],
        tolerance=quantity.tolerance,
        relative=quantity.relative,
        verdict=_verdict(*values, bounds, quantity),
    )


def _is_bound(layer: LayerReport, quantity: Quantity) -> bool:
    return quantity.name == "span" and bool(
        getattr(layer.measurements.get(quantity.fact), "censored", False)
    )


def _verdict(
    before: float | None, after: float | None, bounds: tuple[bool, bool], quantity: Quantity
) -> Verdict:
    if before is None or after is None:
        return "unknown"
    if all(bounds) or not _differ(before, after, quantity):
        return "same"
    if quantity.worse is None:
        return "changed"
    less = after < before
    return "worse" if less == (quantity.worse == "less") else "better"


def _differ(before: float, after: float, quantity: Quantity) -> bool:
    if before == after:
        return False
    allowed = quantity.tolerance * (abs(before) if quantity.relative else 1.0)
    return not abs(after - before) <= allowed
