"""What a network takes: each input's axes, and whether it wants features or token ids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rnndiag.records import Array, Graph, LayerSpec, Options, Ref

DEFAULT_TIMESTEPS = 100

_SAME_SHAPE = (
    "Masking",
    "Dropout",
    "SpatialDropout1D",
    "GaussianDropout",
    "GaussianNoise",
    "AlphaDropout",
)
"""Layers that hand their input on as it is, except that they may mask it."""
_SAME_VALUES = (*_SAME_SHAPE, "Reshape", "Flatten", "Permute", "RepeatVector")
"""Layers behind which a token id is still a token id."""

Axes = tuple[int | None, ...]


@dataclass(frozen=True, kw_only=True)
class InputNeed:
    """What one input of a network takes."""

    name: str
    axes: Axes | None
    """Sizes after the batch axis, None for any; None altogether where nothing tells."""
    vocabulary: int | None = None
    """Token ids lie below this; None where the input takes features."""
    mask_value: float | None = None
    """What the network itself skips: steps of id 0, or of a Masking layer's value."""
    free: bool = False
    """Whether a file may have any array here: the network is code, which takes what it likes."""

    @property
    def sequence(self) -> bool:
        """Whether the axis after the batch is time; that of (B, F) features is not."""
        if self.axes is None:
            return True
        return len(self.axes) > 1 or (self.vocabulary is not None and self.axes != (1,))

    @property
    def fixed_steps(self) -> int | None:
        """The number of timesteps where the network fixes it."""
        return self.axes[0] if self.sequence and self.axes else None

    @property
    def wanted(self) -> str:
        """The shape for a person: ``(batch, any, 5)``."""
        axes = ("any" if size is None else str(size) for size in self.axes or ())
        return f"({', '.join(('batch', *axes))})"


def needs_of(graph: Graph) -> tuple[InputNeed, ...]:
    """What each input takes, from its layer's configuration and from what reads it."""
    return tuple(_need(graph, ref) for ref in graph.inputs)


def first_sequence(needs: Sequence[InputNeed]) -> int | None:
    """Which input's second axis counts as the network's time; None where none has one."""
    return next((k for k, need in enumerate(needs) if need.sequence), None)


def free_timesteps(options: Options) -> int:
    """How long a sequence is where neither the network nor a file says."""
    return options.timesteps or DEFAULT_TIMESTEPS


def _need(graph: Graph, ref: Ref) -> InputNeed:
    tables = [spec for spec in _readers(graph, ref, _SAME_VALUES) if spec.kind == "Embedding"]
    told = graph.layers[ref.layer].config
    axes = _stored_axes(told.get("batch_shape"))
    readers = [spec for spec in _readers(graph, ref, _SAME_SHAPE) if spec.kind != "Masking"]
    features = next((size for size in map(_features, readers) if size is not None), None)
    if axes is None and readers:
        axes = (None,) if tables else (None, features)
    elif axes and axes[-1] is None and not tables:
        axes = (*axes[:-1], features)
    return InputNeed(
        name=ref.layer,
        axes=axes,
        vocabulary=min((_rows(table) for table in tables), default=told.get("vocabulary")),
        mask_value=_mask_value(graph, ref),
        free=bool(told.get("free")),
    )


def _stored_axes(shape: object) -> Axes | None:
    """The axes after the batch, if the configuration holds a shape that makes sense."""
    if not isinstance(shape, (list, tuple)) or not shape:
        return None
    if not all(size is None or (isinstance(size, int) and size > 0) for size in shape[1:]):
        return None
    return tuple(shape[1:])


def _mask_value(graph: Graph, ref: Ref) -> float | None:
    for spec in _readers(graph, ref, _SAME_SHAPE):
        if spec.kind == "Masking":
            value = spec.config.get("mask_value", 0.0)
            # What is no number here is told where the layer is rebuilt.
            return float(value) if isinstance(value, (int, float)) else None
        if spec.kind == "Embedding" and spec.config.get("mask_zero"):
            return 0.0
    return None


def _readers(graph: Graph, source: Ref, through: Sequence[str]) -> Iterator[LayerSpec]:
    """The layers that read a tensor, nested ones too, and those behind the kinds in `through`."""
    for call in graph.calls:
        spec = graph.layers[call.layer]
        for place in (k for k, ref in enumerate(call.inputs) if ref == source):
            yield from _readers_inside(spec, place, through)
            if spec.kind in through:
                yield from _readers(graph, Ref(layer=call.layer, call=call.index), through)


def _readers_inside(spec: LayerSpec, place: int, through: Sequence[str]) -> Iterator[LayerSpec]:
    """The layer itself, or what a model or a TimeDistributed has inside."""
    if spec.graph is not None and place < len(spec.graph.inputs):
        yield from _readers(spec.graph, spec.graph.inputs[place], through)
    elif spec.kind == "TimeDistributed" and spec.inner:
        yield from _readers_inside(spec.inner[0], place, through)
    else:
        yield spec


def _features(spec: LayerSpec) -> int | None:
    """The size of the last axis that a layer takes, where its arrays tell."""
    if spec.inner:
        return _features(spec.inner[0])
    if spec.kind == "Embedding" or not spec.weights:
        return None
    first: Array = np.atleast_1d(spec.weights[0])
    if first.ndim == 1 or spec.packing == "torch":
        return int(first.shape[-1])
    return int(first.shape[-2])


def _rows(table: LayerSpec) -> int:
    return int(table.weights[0].shape[0] if table.weights else table.config["input_dim"])
