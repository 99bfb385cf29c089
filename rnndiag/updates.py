"""From the optimizer's last step on each array of a file to that on each recurrent layer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from rnndiag.records import Checkpoint, LayerRun, ParameterUpdate, ProbeRun

_PARTS = ("kernel", "recurrent", "bias")


def attach(run: ProbeRun, checkpoint: Checkpoint) -> ProbeRun:
    """`run` with what the checkpoint's optimizer did last to each layer's weights."""
    return replace(run, layers=tuple(_layer(layer, checkpoint) for layer in run.layers))


def _layer(layer: LayerRun, checkpoint: Checkpoint) -> LayerRun:
    parts = {part: _part(part, layer.parameters, checkpoint.updates) for part in _PARTS}
    return replace(
        layer,
        updates={part: update for part, update in parts.items() if update is not None},
        why_no_updates=_why(layer, checkpoint),
    )


def _why(layer: LayerRun, checkpoint: Checkpoint) -> str:
    if not checkpoint.updates:
        return checkpoint.why_no_updates
    if not layer.parameters:
        return "it is not known what the file calls this layer's arrays"
    if any(len(layer.parameters.get(part, ())) > 1 for part in ("kernel", "recurrent")):
        return "its weights are stored in pieces, and the optimizer's step is that of the pieces"
    return checkpoint.why_no_updates


def _part(
    part: str, names: Mapping[str, Sequence[str]], updates: Mapping[str, ParameterUpdate]
) -> ParameterUpdate | None:
    """The update of one part; None where the file does not tell that of each of its arrays."""
    own = names.get(part, ())
    # Two biases are two arrays; a matrix of several names is stored in pieces, which are not it.
    whole = len(own) <= (2 if part == "bias" else 1)
    if not own or not whole or any(name not in updates for name in own):
        return None
    return _together([updates[name] for name in own])


def _together(updates: Sequence[ParameterUpdate]) -> ParameterUpdate:
    """Several arrays as one."""
    sizes = [update.size for update in updates]
    return ParameterUpdate(
        size=sum(sizes),
        weight_rms=_rms([update.weight_rms for update in updates], sizes) or 0.0,
        update_rms=_rms([update.update_rms for update in updates], sizes),
        gradient_rms=_rms([update.gradient_rms for update in updates], sizes),
    )


def _rms(values: Sequence[float | None], sizes: Sequence[int]) -> float | None:
    """Root mean square over arrays of these sizes; None where one array's is not known."""
    known = [value for value in values if value is not None]
    if len(known) < len(values) or not sum(sizes):
        return None
    squares = (size * value**2 for size, value in zip(sizes, known, strict=True))
    return math.sqrt(sum(squares) / sum(sizes))
