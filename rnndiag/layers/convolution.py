"""Convolution along time, as Keras pads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.nn import functional

from rnndiag.activations import activation
from rnndiag.layers.base import CannotRebuild, Layer
from rnndiag.records import LayerSpec


def one(value: Any, default: int = 1) -> int:
    """A size that Keras stores as a number or as a list of one."""
    value = default if value is None else value
    return int(value[0] if isinstance(value, (list, tuple)) else value)


def channels_last(config: Mapping[str, Any]) -> None:
    """Raise `CannotRebuild` for the other data format, which has no meaning for sequences."""
    if config.get("data_format") not in (None, "channels_last"):
        raise CannotRebuild(f"data_format {config['data_format']!r} is not supported")


def same_padding(length: int, size: int, stride: int) -> tuple[int, int]:
    """Steps to add before and after, so that ``ceil(length / stride)`` come out.

    An odd one goes to the end, as in TensorFlow.
    """
    total = max((-(-length // stride) - 1) * stride + size - length, 0)
    return total // 2, total - total // 2


class Conv1D(Layer):
    """Kernel (K, C_in / groups, C_out); ``causal`` padding looks into the past only."""

    kinds = ("Conv1D", "Convolution1D")
    kernel: Tensor
    bias: Tensor | None

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        channels_last(spec.config)
        self._keep_kernels(spec)
        self.stride = one(spec.config.get("strides"))
        self.dilation = one(spec.config.get("dilation_rate"))
        self.groups = one(spec.config.get("groups"))
        self.padding = spec.config.get("padding", "valid")
        if self.padding not in ("valid", "same", "causal"):
            raise CannotRebuild(f"padding {self.padding!r} is not one of Keras's own")
        self.activation = activation(spec.config.get("activation"), spec.writer)

    def _keep_kernels(self, spec: LayerSpec) -> None:
        self._keep("kernel", spec.weights[0].transpose(2, 1, 0))
        self._keep_or_none("bias", next(iter(spec.weights[1:]), None))

    @classmethod
    def variables(cls, config: Mapping[str, Any]) -> tuple[bool, ...]:
        return (True, True) if config.get("use_bias", True) else (True,)

    def forward(self, *values: Tensor) -> Tensor:
        x = self._padded(values[0].transpose(1, 2))
        return self.activation(self._convolve(x).transpose(1, 2))

    def _padded(self, x: Tensor) -> Tensor:
        """(B, C, T) with what `padding` asks for on both sides."""
        if self.padding == "valid":
            return x
        size = (self.kernel.shape[-1] - 1) * self.dilation + 1
        if self.padding == "causal":
            return functional.pad(x, (size - 1, 0))
        return functional.pad(x, same_padding(x.shape[-1], size, self.stride))

    def _convolve(self, x: Tensor) -> Tensor:
        return functional.conv1d(
            x, self.kernel, self.bias, self.stride, 0, self.dilation, self.groups
        )


class SeparableConv1D(Conv1D):
    """A convolution of each channel by itself, then one of size 1 across them."""

    kinds = ("SeparableConv1D", "SeparableConvolution1D")
    pointwise: Tensor

    def _keep_kernels(self, spec: LayerSpec) -> None:
        size, channels, multiplier = spec.weights[0].shape
        depthwise = spec.weights[0].transpose(1, 2, 0).reshape(channels * multiplier, 1, size)
        self.channels = channels
        self._keep("kernel", depthwise)
        self._keep("pointwise", spec.weights[1].transpose(2, 1, 0))
        self._keep_or_none("bias", next(iter(spec.weights[2:]), None))

    @classmethod
    def variables(cls, config: Mapping[str, Any]) -> tuple[bool, ...]:
        return (True, *super().variables(config))

    def _convolve(self, x: Tensor) -> Tensor:
        each = functional.conv1d(x, self.kernel, None, self.stride, 0, self.dilation, self.channels)
        return functional.conv1d(each, self.pointwise, self.bias)
