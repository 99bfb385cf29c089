"""Tensors of another type, and such as only take a shape from their input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from rnndiag.layers._ops import arguments
from rnndiag.layers._ops.arguments import allowed, integers, tensor


def cast(x: Any, dtype: Any) -> Tensor:
    """In another type; all real numbers are single precision here."""
    given, wanted = tensor(x), arguments.dtype(dtype)
    found = given.to(wanted)
    # To the same type it is the same tensor, with its mask; to another precision it is not.
    other = wanted == torch.float32 and dtype != "float32"
    return given.view_as(given) if found is given and other else found


def zeros_like(x: Any, dtype: Any = None) -> Tensor:
    """Zeros of the same shape."""
    return full_like(x, 0, dtype)


def ones_like(x: Any, dtype: Any = None) -> Tensor:
    """Ones of the same shape."""
    return full_like(x, 1, dtype)


def full_like(x: Any, fill_value: Any, dtype: Any = None) -> Tensor:
    """One value in the same shape."""
    kind = None if dtype is None else arguments.dtype(dtype)
    x = tensor(x)
    return torch.zeros_like(x, dtype=kind) + tensor(fill_value, x).to(kind or x.dtype)


def full(shape: Any, fill_value: Any, dtype: Any = "float32") -> Tensor:
    """One value in a shape that may hold tensors."""
    sizes = allowed(integers(shape))
    return tensor(fill_value).to(arguments.dtype(dtype)).expand(sizes)


def zeros(shape: Any, dtype: Any = "float32") -> Tensor:
    """Zeros in a shape."""
    return full(shape, 0, dtype)


def ones(shape: Any, dtype: Any = "float32") -> Tensor:
    """Ones in a shape."""
    return full(shape, 1, dtype)


def shape_of(x: Tensor) -> Tensor:
    """The shape as a tensor."""
    return torch.tensor(x.shape, device=x.device)


def one_hot(x: Tensor, num_classes: int, axis: int = -1, dtype: Any = None) -> Tensor:
    """Zeros with a one at each given place; places outside give only zeros."""
    allowed([x.numel(), int(num_classes)])
    classes = torch.arange(int(num_classes), device=x.device)
    hot = (x.long().unsqueeze(-1) == classes).to(arguments.dtype(dtype or "float32"))
    return hot.movedim(-1, int(axis))


def lengths_mask(x: Tensor, maxlen: Any, dtype: Any = "bool") -> Tensor:
    """Whether each step lies within the sequence's length."""
    (longest,) = allowed(integers(maxlen))
    steps = torch.arange(longest, device=x.device)
    return (steps < x.unsqueeze(-1)).to(arguments.dtype(dtype))


FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    "Cast": cast,
    "ConvertToTensor": tensor,
    "FullLike": full_like,
    "OneHot": one_hot,
    "OnesLike": ones_like,
    "ZerosLike": zeros_like,
}
