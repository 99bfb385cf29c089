"""The timesteps of a layer's arrays that count."""

from __future__ import annotations

from rnndiag.records import Array, LayerRun


def unmasked(values: Array, mask: Array) -> Array:
    """(N, H) of the N unmasked (sample, timestep) pairs, from (B, T, H) and (B, T)."""
    flat = values.reshape(-1, values.shape[-1])
    return flat if mask.all() else flat[mask.ravel()]


def by_unit(values: Array, run: LayerRun) -> Array:
    """(N, units) of all unmasked (sample, timestep) pairs and, in a convolution, positions."""
    flat = unmasked(values, run.mask)
    return flat.reshape(len(flat) * run.positions, flat.shape[1] // run.positions)
