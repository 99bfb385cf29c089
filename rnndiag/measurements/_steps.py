"""The timesteps that a measurement of states rests on, and whether they can be trusted."""

from __future__ import annotations

import numpy as np

from rnndiag.records import Array, LayerRun, LayerWeights, Skipped


def arrays_of(weights: LayerWeights) -> tuple[Array, ...]:
    """All arrays of one layer and direction."""
    named = (weights.kernel, weights.recurrent_kernel, weights.bias, weights.recurrent_bias)
    return tuple(array for array in named if array is not None)


def unmasked(values: Array, mask: Array) -> Array:
    """(N, H) of the N unmasked (sample, timestep) pairs, from (B, T, H) and (B, T)."""
    flat = values.reshape(-1, values.shape[-1])
    return flat if mask.all() else flat[mask.ravel()]


def by_unit(values: Array, run: LayerRun) -> Array:
    """(N, units) of all unmasked (sample, timestep) pairs and, in a convolution, positions.

    A convolution's unit is a filter. Its weights are the same at all positions, so that what it
    does at one of them alone is the image's doing: a border, a background that never changes.
    """
    flat = unmasked(values, run.mask)
    return flat.reshape(len(flat) * run.positions, flat.shape[1] // run.positions)


def broken_weights(run: LayerRun) -> Skipped | None:
    """Why nothing can be said about the weights; None where something can."""
    if all(np.isfinite(array).all() for array in arrays_of(run.weights)):
        return None
    return Skipped(reason="the weights are not finite")


def broken_states(run: LayerRun) -> Skipped | None:
    """Why nothing can be said about what the layer did; None where something can."""
    if not run.mask.any():
        return Skipped(reason="no sample has an unmasked timestep")
    states = (run.h,) if run.c is None else (run.h, run.c)
    if not all(np.isfinite(unmasked(state, run.mask)).all() for state in states):
        return broken_weights(run) or Skipped(reason="the states are not finite")
    return broken_weights(run)
