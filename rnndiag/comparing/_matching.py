"""Which layer of one checkpoint answers to which of the other."""

from __future__ import annotations

from typing import Any, Literal

from rnndiag.records import LayerReport, Report

Match = tuple[LayerReport, LayerReport, Literal["name", "order and shape"]]


def matched(
    before: Report, after: Report
) -> tuple[list[Match], tuple[LayerReport, ...], tuple[LayerReport, ...]]:
    """The layers of the same name, then the others in order where cell and size agree."""
    first = [layer for layer in before.layers if layer.analysed]
    second = [layer for layer in after.layers if layer.analysed]
    found: dict[int, Match] = {}
    for key, how in ((_by_name, "name"), (_by_shape, "order and shape")):
        for place, layer in enumerate(first):
            if place in found:
                continue
            other = next((own for own in second if key(own) == key(layer)), None)
            if other is not None:
                second.remove(other)
                found[place] = (layer, other, how)  # type: ignore[assignment]
    lost = tuple(layer for place, layer in enumerate(first) if place not in found)
    return [found[place] for place in sorted(found)], lost, tuple(second)


def _by_name(layer: LayerReport) -> tuple[Any, ...]:
    return layer.id, layer.direction, layer.call, layer.kind


def _by_shape(layer: LayerReport) -> tuple[Any, ...]:
    return layer.kind, layer.direction, layer.input_size, layer.hidden_size
