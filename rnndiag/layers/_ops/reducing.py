"""Sums, means and extremes along axes, and what else works along one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from rnndiag.layers._ops.arguments import integers, tensor


def _axes(x: Tensor, axis: Any) -> list[int]:
    """Every axis where none is named."""
    return list(range(x.dim())) if axis is None else integers(axis)


def _as_float(x: Tensor) -> Tensor:
    return x if x.is_floating_point() else x.float()


def add_up(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The sum."""
    x = tensor(x)
    found: Tensor = x.sum(_axes(x, axis), keepdim=keepdims)
    return found


def mean(x: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The mean; of integers too it is a real number, as in Keras 3."""
    return _as_float(x).mean(_axes(x, axis), keepdim=keepdims)


def mean_of_floats(x: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
    """TensorFlow's mean, which of integers is rounded: that is not rebuilt."""
    if not x.is_floating_point():
        raise ValueError("a mean of integers is not supported")
    return mean(x, axis, keepdims)


def variance(x: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The mean square of the distance from the mean."""
    return _as_float(x).var(_axes(x, axis), correction=0, keepdim=keepdims)


def deviation(x: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The square root of the variance."""
    return variance(x, axis, keepdims).sqrt()


def moments(x: Tensor, axes: Any, keepdims: bool = False) -> tuple[Tensor, Tensor]:
    """Mean and variance."""
    return mean(x, axes, keepdims), variance(x, axes, keepdims)


def largest(x: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The maximum."""
    return x.amax(_axes(x, axis), keepdim=keepdims)


def smallest(x: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The minimum."""
    return x.amin(_axes(x, axis), keepdim=keepdims)


def product(x: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The product along each axis in turn."""
    x = tensor(x)
    along = sorted((place % x.dim() for place in _axes(x, axis)), reverse=True)
    for place in along:
        x = x.prod(place, keepdim=keepdims)
    return x


def has_any(x: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Whether anything is not zero."""
    return largest(x.bool().to(torch.uint8), axis, keepdims).bool()


def has_all(x: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Whether nothing is zero."""
    return smallest(x.bool().to(torch.uint8), axis, keepdims).bool()


def logsumexp(x: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The logarithm of the sum of exponentials."""
    return x.logsumexp(_axes(x, axis), keepdim=keepdims)


def where_largest(x: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The first place of the maximum."""
    return x.argmax(axis, keepdim=keepdims)


def where_smallest(x: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The first place of the minimum."""
    return x.argmin(axis, keepdim=keepdims)


def norm(x: Tensor, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The Euclidean length, or the sum of magnitudes."""
    if ord not in (None, 1, 2, "euclidean") or (ord is not None and axis is None):
        raise ValueError(f"the norm {ord!r} along the axes {axis} is not supported")
    along = _axes(x, axis)
    if len(along) > 1 and ord in (1, 2):
        raise ValueError("norms of matrices are not supported")
    length: Tensor = torch.linalg.vector_norm(
        x, 1 if ord == 1 else 2, along, keepdim=bool(keepdims)
    )
    return length


def l2_normalized(x: Tensor, axis: Any = None, epsilon: float = 1e-12) -> Tensor:
    """Of length one; `epsilon` bounds the square of the length from below."""
    square = add_up(x * x, axis, keepdims=True)
    return x * torch.rsqrt(square.clamp(min=epsilon))


def normalized(x: Tensor, axis: int = -1, order: int = 2, epsilon: float | None = None) -> Tensor:
    """Of length one in Keras 3, whose bound is one of the length itself."""
    if order != 2:
        raise ValueError(f"a norm of order {order} is not supported")
    return l2_normalized(x, axis, (1e-7 if epsilon is None else epsilon) ** 2)


def running_sum(x: Tensor, axis: int | None = None) -> Tensor:
    """The sum so far; of everything in a row where no axis is named."""
    return x.flatten().cumsum(0) if axis is None else x.cumsum(axis)


def ordered(x: Tensor, axis: int = -1) -> Tensor:
    """From the smallest to the largest."""
    return x.sort(axis).values


def top(x: Tensor, k: int = 1, sorted: bool = True) -> tuple[Tensor, Tensor]:
    """The `k` largest along the last axis, and where they stand."""
    if not sorted:
        raise ValueError("the order of what is not sorted is not known")
    values, places = x.topk(int(k), -1)
    return values, places


FUNCTIONS: dict[str, Callable[..., Tensor | tuple[Tensor, ...]]] = {
    "All": has_all,
    "Amax": largest,
    "Amin": smallest,
    "Any": has_any,
    "Argmax": where_largest,
    "Argmin": where_smallest,
    "Cumsum": running_sum,
    "Logsumexp": logsumexp,
    "Max": largest,
    "Mean": mean,
    "Min": smallest,
    "Moments": moments,
    "Norm": norm,
    "Normalize": normalized,
    "Prod": product,
    "Sort": ordered,
    "Std": deviation,
    "Sum": add_up,
    "TopK": top,
    "Var": variance,
}
