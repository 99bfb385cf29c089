"""The operations of a ``TFOpLambda`` by TensorFlow's names.

A name that was changed for TensorFlow 2 is stored with ``compat.v1.`` before it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from rnndiag.layers._ops import elementwise, indexing, making, moving, nonlinear, products, reducing

Function = Callable[..., Any]

_TWO = {"y": "x2", "b": "x2"}
_MATH = elementwise.FUNCTIONS
_ACTIVATIONS = nonlinear.FUNCTIONS

_OF_TWO = {
    "__operators__.add": "Add",
    "math.add": "Add",
    "math.divide": "TrueDivide",
    "math.equal": "Equal",
    "floor_div": "FloorDivide",
    "math.floordiv": "FloorDivide",
    "math.floormod": "Mod",
    "math.greater": "Greater",
    "math.greater_equal": "GreaterEqual",
    "math.less": "Less",
    "math.less_equal": "LessEqual",
    "math.logical_and": "LogicalAnd",
    "math.logical_or": "LogicalOr",
    "math.maximum": "Maximum",
    "math.minimum": "Minimum",
    "math.multiply": "Multiply",
    "math.not_equal": "NotEqual",
    "math.pow": "Power",
    "math.subtract": "Subtract",
    "math.truediv": "TrueDivide",
}
_OF_ONE = {
    "math.abs": "Absolute",
    "math.ceil": "Ceil",
    "math.cos": "Cos",
    "math.erf": "Erf",
    "math.exp": "Exp",
    "math.expm1": "Expm1",
    "math.floor": "Floor",
    "math.is_nan": "Isnan",
    "math.log": "Log",
    "math.log1p": "Log1p",
    "math.logical_not": "LogicalNot",
    "math.negative": "Negative",
    "math.reciprocal": "Reciprocal",
    "math.round": "Round",
    "math.rsqrt": "Rsqrt",
    "math.sign": "Sign",
    "math.sin": "Sin",
    "math.sqrt": "Sqrt",
    "math.square": "Square",
    "identity": "Copy",
    "stop_gradient": "StopGradient",
}
_NONLINEAR = {
    "math.log_sigmoid": "LogSigmoid",
    "math.sigmoid": "Sigmoid",
    "math.softplus": "Softplus",
    "math.tanh": "Tanh",
    "nn.elu": "Elu",
    "nn.log_softmax": "LogSoftmax",
    "nn.relu": "Relu",
    "nn.relu6": "Relu6",
    "nn.selu": "Selu",
    "nn.silu": "Silu",
    "nn.softmax": "Softmax",
    "nn.softsign": "Softsign",
}
_RENAMED: Mapping[str, tuple[Function, Mapping[str, str]]] = {
    "math.squared_difference": (elementwise.squared_difference, _TWO),
    "where": (elementwise.where, {"x": "x1", "y": "x2"}),
    "clip_by_value": (elementwise.clip, {"clip_value_min": "x_min", "clip_value_max": "x_max"}),
    "math.add_n": (elementwise.total, {}),
    "nn.leaky_relu": (nonlinear.leaky_relu, {"alpha": "negative_slope"}),
    "nn.gelu": (partial(nonlinear.gelu, approximate=False), {}),
    "math.reduce_all": (reducing.has_all, {}),
    "math.reduce_any": (reducing.has_any, {}),
    "math.reduce_logsumexp": (reducing.logsumexp, {}),
    "math.reduce_max": (reducing.largest, {}),
    "math.reduce_mean": (reducing.mean_of_floats, {}),
    "math.reduce_min": (reducing.smallest, {}),
    "math.reduce_prod": (reducing.product, {}),
    "math.reduce_std": (reducing.deviation, {}),
    "math.reduce_sum": (reducing.add_up, {}),
    "math.reduce_variance": (reducing.variance, {}),
    "math.argmax": (partial(reducing.where_largest, axis=0), {}),
    "math.argmin": (partial(reducing.where_smallest, axis=0), {}),
    "math.cumsum": (partial(reducing.running_sum, axis=0), {}),
    "math.l2_normalize": (reducing.l2_normalized, {}),
    "math.top_k": (reducing.top, {}),
    "norm": (reducing.norm, {}),
    "sort": (reducing.ordered, {}),
    "__operators__.getitem": (indexing.get_item, {"slice_spec": "key"}),
    "gather": (indexing.gather, {}),
    "gather_nd": (indexing.gather_nd, {}),
    "broadcast_to": (moving.broadcast_to, {}),
    "concat": (moving.concatenate, {}),
    "expand_dims": (moving.expand_dims, {}),
    "pad": (moving.pad, {"paddings": "pad_width"}),
    "repeat": (moving.repeat, {}),
    "reshape": (moving.reshape, {"shape": "newshape"}),
    "reverse": (moving.flip, {}),
    "roll": (moving.roll, {}),
    "split": (moving.split_sizes, {"num_or_size_splits": "sizes"}),
    "squeeze": (moving.squeeze, {}),
    "stack": (moving.stack, {}),
    "tile": (moving.tile, {"multiples": "repeats"}),
    "transpose": (moving.transpose, {"perm": "axes"}),
    "unstack": (moving.unstack, {}),
    "linalg.matmul": (products.matmul, _TWO),
    "tensordot": (products.tensordot, _TWO),
    "cast": (making.cast, {}),
    "fill": (making.full, {"value": "fill_value"}),
    "one_hot": (making.one_hot, {"depth": "num_classes"}),
    "ones": (making.ones, {}),
    "ones_like": (making.ones_like, {}),
    "sequence_mask": (making.lengths_mask, {}),
    "shape": (making.shape_of, {}),
    "zeros": (making.zeros, {}),
    "zeros_like": (making.zeros_like, {}),
}

FUNCTIONS: Mapping[str, tuple[Function, Mapping[str, str]]] = {
    **{name: (_MATH[own], _TWO) for name, own in _OF_TWO.items()},
    **{name: (_MATH[own], {}) for name, own in _OF_ONE.items()},
    **{name: (_ACTIVATIONS[own], {}) for name, own in _NONLINEAR.items()},
    **_RENAMED,
}
"""The function of each name, and TensorFlow's names of its parameters behind the first."""
