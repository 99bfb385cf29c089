"""Arithmetic, comparison and logic, element by element."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from rnndiag.layers._ops.arguments import tensor, tensors


def _of_one(function: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    def apply(x: Any) -> Tensor:
        return function(tensor(x))

    return apply


def _of_two(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    def apply(x1: Any, x2: Any) -> Tensor:
        like = next(x for x in (x1, x2) if isinstance(x, Tensor))
        return function(tensor(x1, like), tensor(x2, like))

    return apply


def where(condition: Any, x1: Any, x2: Any) -> Tensor:
    """`x1` where the condition holds, `x2` elsewhere."""
    like = next(x for x in (condition, x1, x2) if isinstance(x, Tensor))
    return torch.where(tensor(condition, like).bool(), tensor(x1, like), tensor(x2, like))


def clip(x: Tensor, x_min: Any, x_max: Any) -> Tensor:
    """Between two bounds."""
    return torch.minimum(torch.maximum(x, tensor(x_min, x)), tensor(x_max, x))


def rounded(x: Any, decimals: int = 0) -> Tensor:
    """To so many decimals, halves to the even number."""
    return torch.round(tensor(x), decimals=int(decimals))


def total(xs: Any) -> Tensor:
    """The sum of a list of tensors."""
    first, *others = tensors(xs)
    for other in others:
        first = first + other
    return first


def same(x: Tensor) -> Tensor:
    """A copy, which is another tensor and so has no mask."""
    return x.view_as(x)


def squared_difference(x1: Any, x2: Any) -> Tensor:
    """(x1 - x2)²."""
    difference = _of_two(torch.subtract)(x1, x2)
    return difference * difference


FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    "Absolute": _of_one(torch.abs),
    "Ceil": _of_one(torch.ceil),
    "Copy": same,
    "Cos": _of_one(torch.cos),
    "Erf": _of_one(torch.erf),
    "Exp": _of_one(torch.exp),
    "Expm1": _of_one(torch.expm1),
    "Floor": _of_one(torch.floor),
    "Isfinite": _of_one(torch.isfinite),
    "Isnan": _of_one(torch.isnan),
    "Log": _of_one(torch.log),
    "Log1p": _of_one(torch.log1p),
    "LogicalNot": _of_one(torch.logical_not),
    "Negative": _of_one(torch.neg),
    "Reciprocal": _of_one(torch.reciprocal),
    "Round": rounded,
    "Rsqrt": _of_one(torch.rsqrt),
    "Sign": _of_one(torch.sign),
    "Sin": _of_one(torch.sin),
    "Sqrt": _of_one(torch.sqrt),
    "Square": _of_one(torch.square),
    "StopGradient": _of_one(torch.detach),
    "Add": _of_two(torch.add),
    "Divide": _of_two(torch.true_divide),
    "Equal": _of_two(torch.eq),
    "FloorDivide": _of_two(partial(torch.div, rounding_mode="floor")),
    "Greater": _of_two(torch.gt),
    "GreaterEqual": _of_two(torch.ge),
    "Less": _of_two(torch.lt),
    "LessEqual": _of_two(torch.le),
    "LogicalAnd": _of_two(torch.logical_and),
    "LogicalOr": _of_two(torch.logical_or),
    "LogicalXor": _of_two(torch.logical_xor),
    "Maximum": _of_two(torch.maximum),
    "Minimum": _of_two(torch.minimum),
    "Mod": _of_two(torch.remainder),
    "Multiply": _of_two(torch.multiply),
    "NotEqual": _of_two(torch.ne),
    "Power": _of_two(torch.pow),
    "Subtract": _of_two(torch.subtract),
    "TrueDivide": _of_two(torch.true_divide),
    "Where": where,
    "Clip": clip,
}
