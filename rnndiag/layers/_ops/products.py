"""Products that sum over axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from rnndiag.layers._ops.arguments import integers, tensor


def _both(x1: Any, x2: Any) -> tuple[Tensor, Tensor]:
    like = x1 if isinstance(x1, Tensor) else x2
    return tensor(x1, like), tensor(x2, like)


def matmul(x1: Any, x2: Any, transpose_a: bool = False, transpose_b: bool = False) -> Tensor:
    """The matrix product along the last two axes."""
    x, y = _both(x1, x2)
    return (x.mT if transpose_a else x) @ (y.mT if transpose_b else y)


def dot(x1: Any, x2: Any) -> Tensor:
    """NumPy's: over the last axis of one and the last but one of the other."""
    x, y = _both(x1, x2)
    if x.dim() == 0 or y.dim() == 0:
        return x * y
    return _summed(x, y, ([-1], [-2 if y.dim() > 1 else -1]))


def tensordot(x1: Any, x2: Any, axes: Any = 2) -> Tensor:
    """Over the last of one and the first of the other, or the named axes of each."""
    if isinstance(axes, list):
        return _summed(*_both(x1, x2), tuple(map(integers, axes)))
    return _summed(*_both(x1, x2), int(axes))


def _summed(x: Tensor, y: Tensor, axes: Any) -> Tensor:
    found: Tensor = torch.tensordot(x, y, dims=axes)
    return found


def einsum(*operands: Any, subscripts: str) -> Tensor:
    """Einstein's notation."""
    first = next(x for x in operands if isinstance(x, Tensor))
    return torch.einsum(subscripts, *(tensor(x, first) for x in operands))


FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    "Dot": dot,
    "Einsum": einsum,
    "Matmul": matmul,
    "Tensordot": tensordot,
}
