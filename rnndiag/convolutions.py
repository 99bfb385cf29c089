"""Convolutions along any number of axes, as Keras pads them.

Values are (N, C, *space), kernels (C_out, C_in / groups, *size): PyTorch's order. Keras stores
kernels as (*size, C_in / groups, C_out).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from rnndiag.records import Array

Sizes = tuple[int, ...]


class UnknownGeometry(ValueError):
    """The configuration of a window is none of Keras's own; the message says what."""


_FORWARD = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
_TRANSPOSED = {
    1: functional.conv_transpose1d,
    2: functional.conv_transpose2d,
    3: functional.conv_transpose3d,
}


def sizes(value: Any, rank: int, default: int = 1) -> Sizes:
    """One size for each axis, which Keras stores as one number for all or as a list.

    Raises `UnknownGeometry` where a list has another length.
    """
    value = default if value is None else value
    many = tuple(map(int, value)) if isinstance(value, (list, tuple)) else (int(value),) * rank
    if len(many) != rank or min(many) < 1:
        raise UnknownGeometry(f"{value} is not a size for each of {rank} axes")
    return many


def channels_first(data_format: Any) -> bool:
    """Whether channels stand before space; raises `UnknownGeometry`."""
    if data_format not in (None, "channels_last", "channels_first"):
        raise UnknownGeometry(f"data_format {data_format!r} is not one of Keras's own")
    return bool(data_format == "channels_first")


def same_padding(length: int, size: int, stride: int) -> tuple[int, int]:
    """Places to add before and after, so that ``ceil(length / stride)`` come out.

    An odd one goes to the end, as in TensorFlow.
    """
    total = max((-(-length // stride) - 1) * stride + size - length, 0)
    return total // 2, total - total // 2


def kernel_of(stored: Array) -> Array:
    """A kernel as Keras stores it, in PyTorch's order."""
    turned: Array = stored.transpose(stored.ndim - 1, stored.ndim - 2, *range(stored.ndim - 2))
    return turned


def turned(stored: Array, rank: int, padding: Any) -> Array:
    """A kernel of Theano's, (*size, C_in, C_out), turned around: what the others store.

    Raises `UnknownGeometry` for windows of even sizes under ``same`` padding, which
    Theano pads on other sides.
    """
    size = stored.shape[:rank]
    if padding == "same" and any(number % 2 == 0 for number in size):
        raise UnknownGeometry(f"Theano pads windows of {size} in its own way, not supported here")
    return np.flip(stored, tuple(range(rank))).copy()


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """Where a window goes."""

    strides: Sizes
    dilations: Sizes
    padding: str
    """``valid``, ``same``, or ``causal``, which looks into the past only."""

    @classmethod
    def of(cls, config: Any, rank: int) -> Geometry:
        """As a layer's configuration tells it; raises `UnknownGeometry`."""
        padding = config.get("padding", "valid")
        if padding not in ("valid", "same", "causal"):
            raise UnknownGeometry(f"padding {padding!r} is not one of Keras's own")
        strides = sizes(config.get("strides"), rank)
        return cls(
            strides=strides, dilations=sizes(config.get("dilation_rate"), rank), padding=padding
        )

    def reach(self, size: Sequence[int]) -> Sizes:
        """Places from one end of a window of `size` to the other, along each axis."""
        return tuple((k - 1) * d + 1 for k, d in zip(size, self.dilations, strict=True))

    def count(self, space: Sizes, size: Sizes) -> Sizes:
        """How many windows of `size` fit along each axis of `space`."""
        reach = self.reach(size) if self.padding == "valid" else (1,) * len(size)
        axes = zip(space, reach, self.strides, strict=True)
        return tuple((length - r) // stride + 1 for length, r, stride in axes)

    def pad(self, x: Tensor, size: Sequence[int], fill: float = 0.0) -> Tensor:
        """`x` with what `padding` asks for around it, for windows of `size`."""
        if self.padding == "valid":
            return x
        return functional.pad(x, _last_axis_first(self._sides(x, size)), value=fill)

    def _sides(self, x: Tensor, size: Sequence[int]) -> list[tuple[int, int]]:
        reach = self.reach(size)
        if self.padding == "causal":
            return [(r - 1, 0) for r in reach]
        space = x.shape[2:]
        return [same_padding(*axis) for axis in zip(space, reach, self.strides, strict=True)]

    def convolve(
        self, x: Tensor, kernel: Tensor, bias: Tensor | None = None, groups: int = 1
    ) -> Tensor:
        """The convolution, which in truth is a correlation, as everywhere."""
        x = self.pad(x, kernel.shape[2:])
        along = _FORWARD[kernel.dim() - 2]
        y: Tensor = along(x, kernel, bias, self.strides, 0, self.dilations, groups)
        return y


def same(rank: int) -> Geometry:
    """One place after the other, as many as there are."""
    return Geometry(strides=(1,) * rank, dilations=(1,) * rank, padding="same")


def same_adjoint(y: Tensor, kernel: Tensor) -> Tensor:
    """The adjoint of convolution by `kernel` under `same`: from (N, C_out, …) to (N, C_in, …)."""
    whole: Tensor = _TRANSPOSED[kernel.dim() - 2](y, kernel)
    for axis, (length, size) in enumerate(zip(y.shape[2:], kernel.shape[2:], strict=True), 2):
        whole = whole.narrow(axis, same_padding(length, size, 1)[0], length)
    return whole


def _last_axis_first(sides: Sequence[tuple[int, int]]) -> list[int]:
    """As `torch.nn.functional.pad` takes them."""
    return [places for pair in reversed(sides) for places in pair]


def front(x: Tensor, *, first: bool) -> Tensor:
    """(N, C, *space) of what is (N, *space, C) unless its channels already stand `first`."""
    return x if first else torch.movedim(x, -1, 1)


def back(x: Tensor, *, first: bool) -> Tensor:
    """What undoes `front`."""
    return x if first else torch.movedim(x, 1, -1)
