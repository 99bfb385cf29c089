"""Slopes of lines through points of which a few may be off."""

from __future__ import annotations

import numpy as np

from rnndiag.records import Array


def theil_sen(x: Array, y: Array) -> float | None:
    """The median of the slopes between all pairs of points (Theil 1950, Sen 1968).

    `x` and `y` are (N,). None where no two points stand at different places.
    """
    later, earlier = np.tril_indices(len(x), -1)
    run, rise = x[later] - x[earlier], y[later] - y[earlier]
    apart = run != 0
    return float(np.median(rise[apart] / run[apart])) if apart.any() else None
