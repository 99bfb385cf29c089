"""How large the features of a real probe are, and how unlike each other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rnndiag.probe.inputs import needs_of
from rnndiag.records import Array, Graph, InputScale, Probe


def scales(probe: Probe, graph: Graph) -> tuple[InputScale, ...]:
    """The scale of each input with real numbers, in the network's order.

    Over the real steps: neither padding nor what the network itself masks. Empty for made-up
    probes; an input of token ids, or of nothing but padding, has no scale.
    """
    return tuple(map(_scale, _real_features(probe, graph))) if probe.source == "file" else ()


def _real_features(probe: Probe, graph: Graph) -> Iterator[Array]:
    """(N, F) of each input that has any; in double precision, as sums are long."""
    paddings = probe.paddings or (None,) * len(probe.inputs)
    for array, padding, need in zip(probe.inputs, paddings, needs_of(graph), strict=True):
        if array.dtype.kind != "f":
            continue
        timed = need.sequence and array.ndim > 2
        real = np.ones(array.shape[: 2 if timed else 1], bool)
        if timed and padding is not None:
            real &= ~padding
        if timed and need.mask_value is not None:
            skipped = array.dtype.type(need.mask_value)
            real &= (array.reshape(*real.shape, -1) != skipped).any(-1)
        if real.any():
            yield array[real].reshape(-1, array.shape[-1]).astype(np.float64)


def _scale(features: Array) -> InputScale:
    return InputScale(
        means=tuple(map(float, features.mean(0))),
        deviations=tuple(map(float, features.std(0))),
        largest=tuple(map(float, np.abs(features).max(0))),
    )
