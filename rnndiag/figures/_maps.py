"""Heat maps that stay legible: which rows are shown, and what a pixel stands for."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from rnndiag.records import Array

MOST_UNITS = 256
"""Rows of a map; more would be thinner than a pixel."""
MOST_STEPS = 1200
"""Columns of a map, likewise."""


def shown_units(size: Array, most: int = MOST_UNITS) -> Array:
    """Indices of the units with the largest `size`, the largest first, at most `most`."""
    order: Array = np.argsort(-size, kind="stable")[:most]
    return order


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
