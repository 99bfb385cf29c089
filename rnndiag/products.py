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


def gram(rows: Tensor) -> Tensor:
    """Σ v vᵀ over the rows v."""
    columns = rows.T.contiguous()
    if 2 * rows.numel() * len(columns) < _WORTH or not _has_onednn(rows):
        return columns @ rows
    return _multiplied(columns, columns)


def _has_onednn(values: Tensor) -> bool:
    """Whether it takes these; the operations are those of torch's own compiler."""
    plain = values.device.type == "cpu" and values.dtype == torch.float32
    return plain and torch._C._has_mkldnn and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def _multiplied(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """What x @ weight.T + bias is, by oneDNN."""
    found: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return found


def _is_followed(x: Tensor) -> bool:
    """Whether a derivative is being taken, which oneDNN's operations know nothing of."""
    return x.requires_grad or torch._C._functorch.is_functorch_wrapped_tensor(x)


class Product:
    """x ↦ x @ matrix + bias, over the last axis of x; the matrix is not to change."""

    def __init__(self, matrix: Tensor, *, often: bool = True) -> None:
        """Without memory for an arranged copy where it is not called `often`."""
        self.matrix = matrix
        self._often = often

    def __call__(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        small = 2 * x.numel() * self.matrix.shape[1] < _WORTH
        if small or not self._can_arrange or _is_followed(x):
            product = x @ self.matrix
            return product if bias is None else product + bias
        return _multiplied(x, self._arranged, bias)

    @cached_property
    def _can_arrange(self) -> bool:
        return _has_onednn(self.matrix)

    @cached_property
    def _arranged(self) -> Tensor:
        weight = self.matrix.T.contiguous()
        return torch.ops.mkldnn._reorder_linear_weight(weight) if self._often else weight

    def __deepcopy__(self, memo: Any) -> Product:
        """Of the matrix; what oneDNN has arranged cannot be copied."""
        return Product(deepcopy(self.matrix, memo), often=self._often)
