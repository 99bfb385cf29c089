"""Whether what a layer is and did can be trusted."""

from __future__ import annotations

import numpy as np

from rnndiag.records import Array, LayerRun, LayerWeights, Skipped


def arrays_of(weights: LayerWeights) -> tuple[Array, ...]:
    """All arrays of one layer and direction."""
    named = (weights.kernel, weights.recurrent_kernel, weights.bias, weights.recurrent_bias)
    return tuple(array for array in named if array is not None)


def broken_weights(run: LayerRun) -> Skipped | None:
    """Why nothing can be said about the weights; None where something can."""
    if all(np.isfinite(array).all() for array in arrays_of(run.weights)):
        return None
    return Skipped(reason="the weights are not finite")


def broken_states(run: LayerRun) -> Skipped | None:
    """Why nothing can be said about what the layer did; None where something can."""
    if not run.mask.any():
        return Skipped(reason="no sample has an unmasked timestep")
    if run.activity.units.non_finite:
        return broken_weights(run) or Skipped(reason="the states are not finite")
    return broken_weights(run)
