"""Products of many small matrices with one that stays the same.

For a matrix product of a few dozen rows, the recurrent one of a timestep, a CPU spends most of its
time arranging the other matrix anew. oneDNN, which comes with torch, arranges it once.
"""

from __future__ import annotations

from copy import deepcopy
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

_WORTH = 3e6
"""Multiplications and additions that a call must have: oneDNN's own take 20 µs to begin."""


class Product:
    """x ↦ x @ matrix, over the last axis of x; without a gradient."""

    def __init__(self, matrix: Tensor) -> None:
        self.matrix = matrix

    def __call__(self, x: Tensor) -> Tensor:
        if 2 * x.numel() * self.matrix.shape[1] < _WORTH or not self._can_arrange:
            return x @ self.matrix
        product: Tensor = torch.ops.mkldnn._linear_pointwise(
            x, self._arranged, None, "none", [], ""
        )
        return product

    @cached_property
    def _can_arrange(self) -> bool:
        """Whether this torch and this matrix allow it; the operations are its compiler's own."""
        plain = self.matrix.device.type == "cpu" and self.matrix.dtype == torch.float32
        return plain and torch._C._has_mkldnn and hasattr(torch.ops.mkldnn, "_linear_pointwise")

    @cached_property
    def _arranged(self) -> Tensor:
        weight: Tensor = torch.ops.mkldnn._reorder_linear_weight(self.matrix.T.contiguous())
        return weight

    def __deepcopy__(self, memo: Any) -> Product:
        """Of the matrix; what oneDNN has arranged cannot be copied."""
        return Product(deepcopy(self.matrix, memo))
