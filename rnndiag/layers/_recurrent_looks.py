"""Whether a layer that is not rebuilt may be a recurrent one, which a report must not omit."""

from __future__ import annotations

import re
from itertools import pairwise

from rnndiag import cells
from rnndiag.records import Array, LayerSpec

_NAMES = re.compile(r"LSTM|Lstm|GRU|Gru|RNN|Rnn|Bidirectional|Recurrent")
_GATES = (2, 3, 4)
"""A kernel (I, G·H) beside (H, G·H) is a gated cell's; with one gate it may be any two."""


def looks_recurrent(spec: LayerSpec) -> bool:
    """By its kind's name, its settings, its arrays' packing or shapes, or what it wraps."""
    nested = spec.graph.layers.values() if spec.graph is not None else ()
    return (
        spec.kind in cells.by_kind()
        or spec.packing == "torch"
        or "return_sequences" in spec.config
        or _NAMES.search(spec.kind) is not None
        or _has_gates(spec.weights)
        or any(looks_recurrent(part) for part in (*spec.inner, *nested))
    )


def _has_gates(arrays: tuple[Array, ...]) -> bool:
    matrices = [array.shape for array in arrays if array.ndim == 2]
    return any(
        kernel[1] == columns and columns in [gates * units for gates in _GATES]
        for kernel, (units, columns) in pairwise(matrices)
    )
