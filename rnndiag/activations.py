"""Activation functions as Keras names them, with what a recurrence needs to know of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from rnndiag.dialects import clips_hard_sigmoid
from rnndiag.records import Writer

Function = Callable[[Tensor], Tensor]


class UnknownActivation(ValueError):
    """The activation is custom code, which rnndiag does not run."""


@dataclass(frozen=True, kw_only=True)
class Activation:
    """An activation function; `elementwise` ones have a slope at each element."""

    function: Function
    elementwise: bool = True
    bounded: bool = False
    """Both tails saturate."""
    rectified: bool = False
    """Exactly zero on a half-line."""
    derivative: Callable[[Tensor, Tensor], Tensor] | None = None
    """The slope by x and the function's value there, where autograd's loses digits: 1 - tanh² is
    off by 28 % at 8.5, 0 at 9.5."""

    def __call__(self, x: Tensor) -> Tensor:
        return self.function(x)

    def slope(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Derivative at each element of `x`, of the same shape; by autograd if need be.

        `y` is the function's value there, where it is known.
        """
        if self.derivative is not None:
            return self.derivative(x, self(x) if y is None else y)
        with torch.enable_grad():
            point = x.detach().requires_grad_()
            (slope,) = torch.autograd.grad(self.function(point).sum(), point)
        return slope

    def complement(self, x: Tensor, y: Tensor) -> Tensor:
        """1 - y, of the function's value y at `x`; the logistic one's keeps its digits near 1."""
        return torch.sigmoid(-x) if self.function is torch.sigmoid else 1 - y


def _keras2_hard_sigmoid(x: Tensor) -> Tensor:
    return torch.clamp(0.2 * x + 0.5, 0.0, 1.0)


def tanh(x: Tensor) -> Tensor:
    """Torch's own, but where numpy's gives the same numbers in a tenth of the time."""
    if x.requires_grad or x.device.type != "cpu" or x.dtype != torch.float32:
        return torch.tanh(x)
    try:
        return torch.from_numpy(np.tanh(x.numpy()))
    except RuntimeError:  # within torch.func a tensor has no memory of its own
        return torch.tanh(x)


def _tanh_slope(x: Tensor) -> Tensor:
    """1 - tanh² x = 4 s (1 - s) with s = σ(-2 |x|), which keeps its digits where tanh is near 1."""
    s = x.abs().mul_(-2).sigmoid_()
    return torch.addcmul(s, s, s, value=-1).mul_(4)


_BOUNDED: dict[str, Function] = {
    "tanh": tanh,
    "sigmoid": torch.sigmoid,
    "softsign": functional.softsign,
    "hard_sigmoid": lambda x: functional.relu6(x + 3) / 6,
    "hard_tanh": functional.hardtanh,
}
_DERIVATIVES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "tanh": lambda x, y: _tanh_slope(x),
    "sigmoid": lambda x, y: x.neg().sigmoid_().mul_(y),
}
_RECTIFIED: dict[str, Function] = {
    "relu": functional.relu,
    "relu6": functional.relu6,
}
_OTHER: dict[str, Function] = {
    "linear": lambda x: x,
    "elu": functional.elu,
    "selu": functional.selu,
    "celu": functional.celu,
    "gelu": functional.gelu,
    "softplus": functional.softplus,
    "silu": functional.silu,
    "swish": functional.silu,
    "hard_silu": functional.hardswish,
    "hard_swish": functional.hardswish,
    "mish": functional.mish,
    "exponential": torch.exp,
    "leaky_relu": lambda x: functional.leaky_relu(x, 0.2),
    "log_sigmoid": functional.logsigmoid,
    "tanh_shrink": functional.tanhshrink,
    "soft_shrink": functional.softshrink,
    "hard_shrink": functional.hardshrink,
    "squareplus": lambda x: (x + torch.sqrt(x * x + 4)) / 2,
}
_VECTOR: dict[str, Function] = {
    "softmax": lambda x: torch.softmax(x, -1),
    "log_softmax": lambda x: torch.log_softmax(x, -1),
}


def activation(value: str | Mapping[str, Any] | None, writer: Writer) -> Activation:
    """The activation that a Keras configuration names: a string, an object or null.

    ``hard_sigmoid`` changed with Keras 3 (relu6(x + 3) / 6 instead of clip(0.2 x + 0.5)),
    so the writer decides. Raises `UnknownActivation` for custom functions.
    """
    if isinstance(value, Mapping):
        return _from_object(value, writer)
    name = value or "linear"
    if name == "hard_sigmoid" and clips_hard_sigmoid(writer):
        return Activation(function=_keras2_hard_sigmoid, bounded=True)
    for table in (_BOUNDED, _RECTIFIED, _OTHER, _VECTOR):
        if name in table:
            return Activation(
                function=table[name],
                elementwise=table is not _VECTOR,
                bounded=table is _BOUNDED,
                rectified=table is _RECTIFIED,
                derivative=_DERIVATIVES.get(name),
            )
    raise UnknownActivation(f"activation {name!r} is not one of Keras's own")


def _from_object(value: Mapping[str, Any], writer: Writer) -> Activation:
    """An activation stored as an object: a function by name, or an activation layer."""
    kind, config = value.get("class_name"), value.get("config")
    if kind == "function" and isinstance(config, str):
        return activation(config, writer)
    config = config if isinstance(config, Mapping) else {}
    return from_layer(str(kind), config, writer)


def from_layer(kind: str, config: Mapping[str, Any], writer: Writer) -> Activation:
    """The function that an activation layer such as ``LeakyReLU`` applies."""
    if kind == "Activation":
        return activation(config.get("activation"), writer)
    if kind == "LeakyReLU":
        slope = float(config.get("negative_slope", config.get("alpha", 0.3)))
        return Activation(function=lambda x: functional.leaky_relu(x, slope))
    if kind == "ELU":
        alpha = float(config.get("alpha", 1.0))
        return Activation(function=lambda x: functional.elu(x, alpha))
    if kind == "ThresholdedReLU":
        theta = float(config.get("theta", 1.0))
        return Activation(function=lambda x: torch.where(x > theta, x, 0.0), rectified=True)
    if kind == "ReLU":
        return _relu(config)
    raise UnknownActivation(f"activation {kind!r} is not one of Keras's own")


def _relu(config: Mapping[str, Any]) -> Activation:
    """Keras's ReLU layer: slope below the threshold, and an optional ceiling."""
    ceiling = config.get("max_value")
    slope = float(config.get("negative_slope") or 0.0)
    threshold = float(config.get("threshold") or 0.0)

    def relu(x: Tensor) -> Tensor:
        below = slope * (x - threshold)
        y = torch.where(x >= threshold, x, below)
        return y if ceiling is None else y.clamp(max=float(ceiling))

    return Activation(function=relu, rectified=slope == 0.0)
