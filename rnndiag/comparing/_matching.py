"""Which layer of one checkpoint answers to which of the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from rnndiag.records import LayerReport, Report

How = Literal["name", "order and shape"]
Match = tuple[LayerReport, LayerReport, How]
_Key = Callable[[LayerReport], tuple[Any, ...]]


def matched(
    before: Report, after: Report
) -> tuple[list[Match], tuple[LayerReport, ...], tuple[LayerReport, ...]]:
    """The pairs, in the first one's order, and what is left of either.

    Names count where cell and sizes agree, too: Keras numbers layers on from model to model, so
    that ``lstm_1`` may be the second layer here and the first one there. Where the two networks
    are alike in shape and their names differ, order alone tells.
    """
    first = [layer for layer in before.layers if layer.analysed]
    second = [layer for layer in after.layers if layer.analysed]
    alike = [_shape(layer) for layer in first] == [_shape(layer) for layer in second]
    renamed = {_name(layer) for layer in first} != {_name(layer) for layer in second}
    if alike and renamed:
        in_order = zip(first, second, strict=True)
        return [(one, other, _how(one, other)) for one, other in in_order], (), ()
    return _by_keys(first, second)


def _how(one: LayerReport, other: LayerReport) -> How:
    return "name" if _name(one) == _name(other) else "order and shape"


def _by_keys(
    first: Sequence[LayerReport], second: Sequence[LayerReport]
) -> tuple[list[Match], tuple[LayerReport, ...], tuple[LayerReport, ...]]:
    """By name and shape, then by shape, then by name whatever the sizes."""
    left = list(second)
    found: dict[int, Match] = {}
    keys: Sequence[tuple[_Key, How]] = (
        (lambda layer: (*_name(layer), *_shape(layer)), "name"),
        (_shape, "order and shape"),
        (lambda layer: (*_name(layer), layer.kind), "name"),
    )
    for key, how in keys:
        for place, layer in enumerate(first):
            other = next((own for own in left if key(own) == key(layer)), None)
            if place not in found and other is not None:
                left.remove(other)
                found[place] = (layer, other, how)
    lost = tuple(layer for place, layer in enumerate(first) if place not in found)
    return [found[place] for place in sorted(found)], lost, tuple(left)


def _name(layer: LayerReport) -> tuple[Any, ...]:
    return layer.id, layer.direction, layer.call


def _shape(layer: LayerReport) -> tuple[Any, ...]:
    return layer.kind, layer.direction, layer.input_size, layer.hidden_size
