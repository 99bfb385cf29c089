"""Activation functions that stand in a graph as operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from rnndiag.layers._ops.arguments import integers


def leaky_relu(x: Tensor, negative_slope: float = 0.2) -> Tensor:
    """x, and below zero a share of it."""
    return functional.leaky_relu(x, negative_slope)


def elu(x: Tensor, alpha: float = 1.0) -> Tensor:
    """Clevert et al. 2016."""
    return functional.elu(x, alpha)


def celu(x: Tensor, alpha: float = 1.0) -> Tensor:
    """ELU with a continuous slope."""
    return functional.celu(x, alpha)


def gelu(x: Tensor, approximate: bool = True) -> Tensor:
    """Hendrycks & Gimpel 2016; the approximation is by tanh."""
    return functional.gelu(x, approximate="tanh" if approximate else "none")


def squareplus(x: Tensor, b: float = 4) -> Tensor:
    """A smooth ReLU without an exponential."""
    return (x + torch.sqrt(x * x + b)) / 2


def relu(
    x: Tensor, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0
) -> Tensor:
    """With a threshold, a slope below it, and a ceiling."""
    y = torch.where(x >= threshold, x, negative_slope * (x - threshold))
    return y if max_value is None else y.clamp(max=max_value)


def softmax(x: Tensor, axis: Any = -1) -> Tensor:
    """Along one axis or several; also where all values are far below zero."""
    return torch.exp(log_softmax(x, axis))


def log_softmax(x: Tensor, axis: Any = -1) -> Tensor:
    """The logarithm of the softmax."""
    axes = integers(axis)
    # Beside -1e9, which stands where nothing counts, a logarithm would be lost.
    x = x - x.detach().amax(axes, keepdim=True)
    return x - x.logsumexp(axes, keepdim=True)


def _plain(function: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    def apply(x: Tensor) -> Tensor:
        return function(x)

    return apply


FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    "Celu": celu,
    "Elu": elu,
    "Gelu": gelu,
    "HardSigmoid": _plain(functional.hardsigmoid),
    "HardSilu": _plain(functional.hardswish),
    "HardTanh": _plain(functional.hardtanh),
    "LeakyRelu": leaky_relu,
    "LogSigmoid": _plain(functional.logsigmoid),
    "LogSoftmax": log_softmax,
    "Mish": _plain(functional.mish),
    "ReLU": relu,
    "Relu": _plain(functional.relu),
    "Relu6": _plain(functional.relu6),
    "Selu": _plain(functional.selu),
    "Sigmoid": _plain(torch.sigmoid),
    "Silu": _plain(functional.silu),
    "Softmax": softmax,
    "Softplus": _plain(functional.softplus),
    "Softsign": _plain(functional.softsign),
    "Squareplus": squareplus,
    "Tanh": _plain(torch.tanh),
    "TanhShrink": _plain(functional.tanhshrink),
}
