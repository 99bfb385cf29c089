"""Convolution along time or space, as Keras pads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.nn import functional

from rnndiag import convolutions, dialects
from rnndiag.activations import activation
from rnndiag.layers._spatial import Spatial, each_rank
from rnndiag.records import LayerSpec


class Convolution(Spatial):
    """Kernel (*size, C_in / groups, C_out); ``causal`` padding looks into the past only."""

    kinds = each_rank("Conv", "Convolution")
    kernel: Tensor
    bias: Tensor | None

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.geometry = convolutions.Geometry.of(spec.config, self.rank)
        self.groups = int(spec.config.get("groups") or 1)
        self._keep_kernels(spec)
        self.activation = activation(spec.config.get("activation"), spec.writer)

    def _keep_kernels(self, spec: LayerSpec) -> None:
        kernel = spec.weights[0]
        if dialects.turns_kernels_around(spec.writer):
            kernel = convolutions.turned(kernel, self.rank, spec.config.get("padding"))
        self._keep("kernel", convolutions.kernel_of(kernel))
        self._keep_or_none("bias", next(iter(spec.weights[1:]), None))

    @classmethod
    def variables(cls, config: Mapping[str, Any]) -> tuple[bool, ...]:
        return (True, True) if config.get("use_bias", True) else (True,)

    def forward(self, *values: Tensor) -> Tensor:
        return self.activation(super().forward(*values))

    def along(self, x: Tensor) -> Tensor:
        return self.geometry.convolve(x, self.kernel, self.bias, self.groups)


class SeparableConv1D(Convolution):
    """A convolution of each channel by itself, then one of size 1 across them."""

    kinds = ("SeparableConv1D", "SeparableConvolution1D")
    pointwise: Tensor

    def _keep_kernels(self, spec: LayerSpec) -> None:
        size, channels, multiplier = spec.weights[0].shape
        depthwise = spec.weights[0].transpose(1, 2, 0).reshape(channels * multiplier, 1, size)
        self.channels = channels
        self._keep("kernel", depthwise)
        self._keep("pointwise", convolutions.kernel_of(spec.weights[1]))
        self._keep_or_none("bias", next(iter(spec.weights[2:]), None))

    @classmethod
    def variables(cls, config: Mapping[str, Any]) -> tuple[bool, ...]:
        return (True, *super().variables(config))

    def along(self, x: Tensor) -> Tensor:
        each = self.geometry.convolve(x, self.kernel, None, self.channels)
        return functional.conv1d(each, self.pointwise, self.bias)
