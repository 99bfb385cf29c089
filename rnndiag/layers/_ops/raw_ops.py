"""The operations of a ``TensorFlowOpLayer`` by the names that nodes of a graph have.

TensorFlow 1.15 to 2.3 keep the node itself: what its inputs are called counts for nothing,
only their order. Its attributes come as keyword arguments, without those that tell types.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from rnndiag.layers._ops import elementwise, indexing, making, moving, nonlinear, products, reducing
from rnndiag.layers._ops.arguments import allowed, integers, tensor

Function = Callable[..., Any]


def strided_slice(
    x: Tensor,
    begin: Any,
    end: Any,
    strides: Any,
    begin_mask: int = 0,
    end_mask: int = 0,
    ellipsis_mask: int = 0,
    new_axis_mask: int = 0,
    shrink_axis_mask: int = 0,
) -> Tensor:
    """``x[key]``; bit k of each mask is of the key's k-th part."""
    key: list[Any] = []
    for place, bounds in enumerate(zip(*map(integers, (begin, end, strides)), strict=True)):
        bit, (start, stop, step) = 1 << place, bounds
        if ellipsis_mask & bit:
            key.append(...)
        elif new_axis_mask & bit:
            key.append(None)
        elif shrink_axis_mask & bit:
            key.append(start)
        else:
            first = None if begin_mask & bit else start
            key.append(slice(first, None if end_mask & bit else stop, step))
    return indexing.get_item(x, key)


def squeeze(x: Tensor, squeeze_dims: Any = ()) -> Tensor:
    """Without the named axes, or without every axis of size 1 where none is named."""
    return moving.squeeze(x, squeeze_dims or None)


def split(axis: Any, x: Tensor, num_split: int) -> tuple[Tensor, ...]:
    """Equal sections."""
    (along,) = integers(axis)
    return moving.split_sizes(x, num_split, along)


def select(condition: Tensor, x1: Any, x2: Any) -> Tensor:
    """`x1` where the condition holds; one of a single axis chooses whole samples."""
    rank = tensor(x1).dim()
    if condition.dim() == 1 and rank > 1:
        condition = condition.view(-1, *(1,) * (rank - 1))
    return elementwise.where(condition, x1, x2)


def bias_add(x: Tensor, bias: Any, data_format: str = "NHWC") -> Tensor:
    """The bias along the last axis."""
    if data_format != "NHWC":
        raise ValueError(f"a bias in the format {data_format!r} is not supported")
    return x + tensor(bias, x)


def cast(x: Any, dtype: str) -> Tensor:
    """In another type; always another tensor, which has no mask."""
    found = making.cast(x, dtype)
    return found.view_as(found)


def add_n(xs: Any) -> Tensor:
    """The sum of a list; that of one tensor is another tensor, too."""
    found = elementwise.total(xs)
    return found.view_as(found)


def fill(dims: Any, value: Any) -> Tensor:
    """One value in a shape, in the value's own type."""
    return tensor(value).expand(allowed(integers(dims)))


def einsum(xs: list[Any], equation: str) -> Tensor:
    """Einstein's notation."""
    return products.einsum(*xs, subscripts=equation)


_MATH = elementwise.FUNCTIONS
_ACTIVATIONS = nonlinear.FUNCTIONS
_KEEP = {"keep_dims": "keepdims"}
_ADJOINT = {"adj_x": "transpose_a", "adj_y": "transpose_b"}

_ELEMENTWISE = {
    "Abs": "Absolute",
    "AddV2": "Add",
    "FloorDiv": "FloorDivide",
    "FloorMod": "Mod",
    "Identity": "Copy",
    "Inv": "Reciprocal",
    "IsNan": "Isnan",
    "Mul": "Multiply",
    "Neg": "Negative",
    "Pow": "Power",
    "RealDiv": "TrueDivide",
    "SelectV2": "Where",
    "Sub": "Subtract",
    **{
        name: name
        for name in (
            *("Add", "Ceil", "Cos", "Equal", "Erf", "Exp", "Expm1", "Floor", "Greater"),
            *("GreaterEqual", "Less", "LessEqual", "Log", "Log1p", "LogicalAnd", "LogicalNot"),
            *("LogicalOr", "Maximum", "Minimum", "NotEqual", "Reciprocal", "Round", "Rsqrt"),
            *("Sign", "Sin", "Sqrt", "Square", "StopGradient"),
        )
    },
}
_NONLINEAR = (
    *("Elu", "LogSoftmax", "Relu", "Relu6", "Selu", "Sigmoid", "Softmax", "Softplus"),
    *("Softsign", "Tanh"),
)
_OTHERS: Mapping[str, tuple[Function, Mapping[str, str]]] = {
    "AddN": (add_n, {}),
    "All": (reducing.has_all, _KEEP),
    "Any": (reducing.has_any, _KEEP),
    "ArgMax": (reducing.where_largest, {}),
    "ArgMin": (reducing.where_smallest, {}),
    "BatchMatMul": (products.matmul, _ADJOINT),
    "BatchMatMulV2": (products.matmul, _ADJOINT),
    "BiasAdd": (bias_add, {}),
    "BroadcastTo": (moving.broadcast_to, {}),
    "Cast": (cast, {"DstT": "dtype"}),
    "ClipByValue": (elementwise.clip, {}),
    "ConcatV2": (moving.concatenate, {}),
    "Cumsum": (reducing.running_sum, {}),
    "Einsum": (einsum, {}),
    "ExpandDims": (moving.expand_dims, {}),
    "Fill": (fill, {}),
    "GatherNd": (indexing.gather_nd, {}),
    "GatherV2": (indexing.gather, {}),
    "LeakyRelu": (nonlinear.leaky_relu, {"alpha": "negative_slope"}),
    "MatMul": (products.matmul, {}),
    "Max": (reducing.largest, _KEEP),
    "Mean": (reducing.mean_of_floats, _KEEP),
    "Min": (reducing.smallest, _KEEP),
    "OnesLike": (making.ones_like, {}),
    "Pack": (moving.stack, {}),
    "Pad": (moving.pad, {}),
    "PadV2": (moving.pad, {}),
    "Prod": (reducing.product, _KEEP),
    "Reshape": (moving.reshape, {}),
    "ReverseV2": (moving.flip, {}),
    "Select": (select, {}),
    "Shape": (making.shape_of, {}),
    "Split": (split, {}),
    "SplitV": (moving.split_sizes, {}),
    "SquaredDifference": (elementwise.squared_difference, {}),
    "Squeeze": (squeeze, {}),
    "StridedSlice": (strided_slice, {}),
    "Sum": (reducing.add_up, _KEEP),
    "Tile": (moving.tile, {}),
    "TopKV2": (reducing.top, {}),
    "Transpose": (moving.transpose, {}),
    "Unpack": (moving.unstack, {}),
    "ZerosLike": (making.zeros_like, {}),
}

FUNCTIONS: Mapping[str, tuple[Function, Mapping[str, str]]] = {
    **{f"raw_ops.{name}": (_MATH[own], {}) for name, own in _ELEMENTWISE.items()},
    **{f"raw_ops.{name}": (_ACTIVATIONS[name], {}) for name in _NONLINEAR},
    **{f"raw_ops.{name}": found for name, found in _OTHERS.items()},
}
"""The function of each name, and the names of its attributes."""
MOVING = (split, squeeze, strided_slice)
"""Those of this file that only move values about."""
