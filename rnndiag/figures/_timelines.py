"""States along time: which samples and which of a unit's places are shown, and in what words."""

from __future__ import annotations

import numpy as np

from rnndiag.figures._steps import by_unit, unmasked
from rnndiag.figures.base import Layer
from rnndiag.records import Array, LayerRun


def shown_samples(run: LayerRun, most: int) -> list[int]:
    """The first samples that have an unmasked step, at most `most`."""
    found: list[int] = np.flatnonzero(run.mask.any(axis=1))[:most].tolist()
    return found


def shown_columns(layer: Layer) -> Array:
    """(units,) index of each unit in the last axis of h.

    In a convolution a unit has a state at every position; it is shown at the one where its
    state varies most, because a mean over positions would cancel.
    """
    positions = layer.run.positions
    units = np.arange(layer.arrays.h.shape[-1] // positions)
    if positions == 1:
        return units
    h = unmasked(layer.arrays.h, layer.run.mask)
    spread = np.where(np.isfinite(h), h, 0).std(axis=0, dtype=np.float64)
    found: Array = spread.reshape(positions, -1).argmax(axis=0) * len(units) + units
    return found


def mean_sizes(layer: Layer) -> Array:
    """(units,) mean |h| over all unmasked steps, and positions; broken values are left out.

    NaN where a unit has no finite one.
    """
    seen = layer.run.activity.units
    if not seen.non_finite:
        return seen.mean_abs
    size = np.abs(by_unit(layer.arrays.h, layer.run))
    finite = np.isfinite(size)
    total = np.where(finite, size, 0).sum(axis=0, dtype=np.float64)
    count = finite.sum(axis=0)
    found: Array = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return found


def has_padding(run: LayerRun, samples: list[int]) -> bool:
    """Whether a sample ends in padding that the network takes for real."""
    return bool((run.mask & ~run.real)[samples].any())


def time_label(layer: Layer) -> str:
    """What stands on the axis of time: arrays are in the order in which steps are processed."""
    order = ", as processed: last first" if layer.run.direction == "backward" else ""
    return f"timestep{order}"


def place_told(run: LayerRun) -> str:
    """A sentence for the caption of what shows a convolution; else nothing."""
    if run.positions == 1:
        return ""
    return f" Each filter is shown at the one of {run.positions} positions where it varies most."
