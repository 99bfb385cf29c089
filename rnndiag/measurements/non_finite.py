"""NaN and infinite values in the weights and states of a layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rnndiag.records import Array, LayerRun, Options


@dataclass(frozen=True, kw_only=True)
class NonFinite:
    """How many values are NaN or infinite; 0 everywhere in a sound layer."""

    kernel: int
    """Of the input weights."""
    recurrent_kernel: int
    """Of the recurrent weights."""
    bias: int
    """Of all biases."""
    states: int
    """Of the states, h and c, over all unmasked (sample, timestep) pairs of the probe."""
    total: int
    """The sum of all these."""
    tensors: tuple[str, ...]
    """Which of the above have any, by name."""


def measure(run: LayerRun, options: Options) -> NonFinite:
    """What is not finite in one layer's weights and states."""
    weights = run.weights
    biases = [bias for bias in (weights.bias, weights.recurrent_bias) if bias is not None]
    found = {
        "kernel": _count(weights.kernel),
        "recurrent_kernel": _count(weights.recurrent_kernel),
        "bias": _count(*biases),
        "states": run.activity.units.non_finite,
    }
    return NonFinite(
        **found,
        total=sum(found.values()),
        tensors=tuple(name for name, count in found.items() if count),
    )


def _count(*arrays: Array) -> int:
    return sum(int(array.size - np.isfinite(array).sum()) for array in arrays)
