"""Heat maps that stay legible: which rows are shown, and what a pixel stands for."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from rnndiag.records import Array

MOST_UNITS = 256
"""Rows of a map; more would be thinner than a pixel."""
MOST_STEPS = 1200
"""Columns of a map, likewise."""
_NAMED = 12
"""Rows that have room for a name each."""
_TICKED = 4
"""Powers of ten that each get a tick."""


def shown_units(size: Array, most: int = MOST_UNITS) -> Array:
    """Indices of the units with the largest `size`, the largest first, at most `most`."""
    order: Array = np.argsort(-size, kind="stable")[:most]
    return order


def unit_axis(axes: Axes, units: Array, ranked: str) -> None:
    """Name the rows of a map: a few by the numbers of their `units`, many by what ranks them."""
    if len(units) <= _NAMED:
        small = 11 if len(units) <= _NAMED // 2 else 8
        axes.set_yticks(range(len(units)), [str(unit) for unit in units], fontsize=small)
        axes.set_ylabel("unit")
        return
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    axes.set_ylabel(f"rank by {ranked}")


def symlog_ticks(largest: float, decades: float) -> list[float]:
    """Ticks of a symmetric logarithmic scale that ends `decades` below `largest`.

    Powers of ten, every other one of many, and 0; those at the linear part would touch the 0.
    """
    top = math.floor(math.log10(largest))
    bottom = math.log10(largest) - decades
    step = 1 if decades <= _TICKED else 2
    powers = [
        power for power in range(top, top - math.ceil(decades), -step) if power > bottom + 0.5
    ]
    sizes = [10.0**power for power in powers if math.isfinite(10.0**power) and 10.0**power > 0]
    return [-own for own in sizes] + [0.0] + sizes[::-1]


def binned(values: Array, most: int = MOST_STEPS) -> Array:
    """`values` (rows, columns) with neighbors drawn together where there are over `most` columns.

    Of each bin the value of the largest size is kept, with its sign: a mean would cancel, and
    a single step would be lost. NaN counts as the largest.
    """
    columns = values.shape[1]
    if columns <= most:
        return values
    edges = np.linspace(0, columns, most + 1).astype(int)
    parts = (values[:, a:b] for a, b in pairwise(edges))
    return np.stack([_largest(part) for part in parts], axis=1)


def _largest(part: Array) -> Array:
    size = np.where(np.isnan(part), np.inf, np.abs(part))
    found: Array = np.take_along_axis(part, size.argmax(axis=1)[:, None], axis=1)[:, 0]
    return found
