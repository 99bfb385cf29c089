"""How wide a network is, how long its sequences are, and what other sizes would take."""

from __future__ import annotations

import math
from collections.abc import Iterator

from rnndiag.records import LayerReport, Report
from rnndiag.snippets.base import Snippets

_GATES = {"LSTM": 4, "GRU": 3}


def resized(report: Report, factor: float, snippets: Snippets) -> tuple[str, str]:
    """`factor` times the units of every recurrent layer: half a sentence, and its snippet.

    Snippets set one width for all layers: there is none where the layers differ.
    """
    widths = {layer.hidden_size for layer in _layers(report)}
    width = widths.pop() if len(widths) == 1 else None
    units = width and round(width * factor)
    if not width or not units:
        return f"{factor:g} times the units in each recurrent layer", ""
    return f"{units} units instead of {width}", snippets.units(units)


def parameters_after(report: Report, factor: float) -> int:
    """About how many parameters are left with `factor` times the units.

    What feeds a recurrent layer, and what reads it, counts as it is now.
    """
    layers = list(_layers(report))
    now = sum(_weights(layer, 1) for layer in layers)
    return report.checkpoint.parameters - now + sum(_weights(layer, factor) for layer in layers)


def known_timesteps(report: Report) -> int | None:
    """How long sequences are, by a real probe or by the network; None where that is made up."""
    probe = report.probe
    if probe.source == "file" or probe.timesteps in _fixed(report):
        return probe.timesteps
    return None


def window_of(layer: LayerReport) -> int:
    """Places that the layer's convolutions look at; 1 where it has none."""
    return math.prod(layer.arguments.get("kernel_size") or (1,))


def _layers(report: Report) -> Iterator[LayerReport]:
    """Each recurrent layer and direction once, whatever its calls."""
    return (layer for layer in report.layers if layer.analysed and not layer.call)


def _weights(layer: LayerReport, factor: float) -> int:
    """g·H·(w·(I + H) + 1): kernel, recurrent kernel and biases; w is a convolution's window."""
    units = round((layer.hidden_size or 0) * factor)
    gates = next((count for kind, count in _GATES.items() if kind in layer.kind), 1)
    return gates * units * (window_of(layer) * ((layer.input_size or 0) + units) + 1)


def _fixed(report: Report) -> Iterator[int]:
    """Second axes of the network's inputs, where they have a size: (batch, timesteps, …)."""
    for own in report.network:
        shape = own.arguments.get("batch_shape") if own.kind == "InputLayer" else None
        if shape and len(shape) > 1 and shape[1] is not None:
            yield int(shape[1])
