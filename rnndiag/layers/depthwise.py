"""Convolutions along time of each channel by itself, and such that run in reverse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.nn import functional

from rnndiag.activations import activation
from rnndiag.layers.base import CannotRebuild, Layer
from rnndiag.layers.convolution import Convolution
from rnndiag.records import LayerSpec


class DepthwiseConv1D(Convolution):
    """Kernel (K, C, multiplier): `multiplier` outputs of each channel."""

    kinds = ("DepthwiseConv1D",)

    def _keep_kernels(self, spec: LayerSpec) -> None:
        size, self.groups, multiplier = spec.weights[0].shape
        kernel = spec.weights[0].transpose(1, 2, 0)
        self._keep("kernel", kernel.reshape(self.groups * multiplier, 1, size))
        self._keep_or_none("bias", next(iter(spec.weights[1:]), None))


class Conv1DTranspose(Layer):
    """The gradient of a convolution; kernel (K, C_out, C_in)."""

    kinds = ("Conv1DTranspose", "Convolution1DTranspose")
    kernel: Tensor
    bias: Tensor | None

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        config = spec.config
        if config.get("data_format") not in (None, "channels_last"):
            raise CannotRebuild(f"data_format {config['data_format']!r} is not supported")
        if config.get("output_padding") is not None:
            raise CannotRebuild("output_padding is not supported")
        self.same = config.get("padding", "valid") == "same"
        self.stride, self.dilation = _one(config.get("strides")), _one(config.get("dilation_rate"))
        self._keep("kernel", spec.weights[0].transpose(2, 1, 0))
        self._keep_or_none("bias", next(iter(spec.weights[1:]), None))
        self.activation = activation(config.get("activation"), spec.writer)

    @classmethod
    def variables(cls, config: Mapping[str, Any]) -> tuple[bool, ...]:
        return (True, True) if config.get("use_bias", True) else (True,)

    def forward(self, *values: Tensor) -> Tensor:
        x = values[0].transpose(1, 2)
        y = functional.conv_transpose1d(x, self.kernel, stride=self.stride, dilation=self.dilation)
        y = self._cut(y, x.shape[-1] * self.stride).transpose(1, 2)
        return self.activation(y if self.bias is None else y + self.bias)

    def _cut(self, y: Tensor, length: int) -> Tensor:
        """Keras's length: `length` steps for ``same``, and never fewer."""
        if not self.same:
            return functional.pad(y, (0, max(length - y.shape[-1], 0)))
        before = max(y.shape[-1] - length, 0) // 2
        return functional.pad(y, (-before, length + before - y.shape[-1]))


def _one(value: Any) -> int:
    """A size that Keras stores as a number or as a list of one."""
    return int(value[0] if isinstance(value, (list, tuple)) else value or 1)
