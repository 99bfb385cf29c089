"""Sums of squares: right at any magnitude, and of arrays of any size without a copy of them."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from rnndiag import mapping
from rnndiag.records import Array

_AT_ONCE = 1 << 16
"""Elements."""


def pieces(*arrays: Array) -> Iterator[tuple[Array, ...]]:
    """The elements of arrays of one shape in float64, some at a time and each next to its like.

    The pieces are overwritten by those that come after them. What is mapped is let go.
    """
    found = np.nditer(
        arrays,
        flags=["external_loop", "buffered", "zerosize_ok"],
        op_dtypes=[np.float64] * len(arrays),
        casting="same_kind",
        buffersize=_AT_ONCE,
    )
    for piece in found:
        yield piece if isinstance(piece, tuple) else (piece,)
        mapping.let_go()


def sum_of_squares(array: Array) -> float:
    """Of all elements; in float64, as the squares of small float32 numbers underflow."""
    return sum(float(np.square(piece).sum()) for (piece,) in pieces(array))


def rms(array: Array) -> float:
    """Root of the mean square; 0 of nothing."""
    return math.sqrt(sum_of_squares(array) / array.size) if array.size else 0.0
