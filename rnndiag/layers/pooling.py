"""Pooling along time, in windows or altogether."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from rnndiag.layers.base import CannotRebuild, Layer, Masks
from rnndiag.layers.convolution import channels_last, one, same_padding
from rnndiag.records import LayerSpec


class _Pooling1D(Layer):
    """Windows of ``pool_size`` steps, ``strides`` apart."""

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        channels_last(spec.config)
        self.size = one(spec.config.get("pool_size"), 2)
        self.stride = one(spec.config.get("strides"), self.size)
        self.padding = spec.config.get("padding", "valid")
        if self.padding not in ("valid", "same"):
            raise CannotRebuild(f"padding {self.padding!r} is not one of Keras's own")

    def windows(self, x: Tensor, fill: float) -> Tensor:
        """(B, T', C, size) of (B, T, C); `fill` where a window reaches past the end."""
        x = x.transpose(1, 2)
        if self.padding == "same":
            sides = same_padding(x.shape[-1], self.size, self.stride)
            x = functional.pad(x, sides, value=fill)
        return x.unfold(-1, self.size, self.stride).transpose(1, 2)


class MaxPooling1D(_Pooling1D):
    """The largest value of each window."""

    kinds = ("MaxPooling1D", "MaxPool1D")

    def forward(self, *values: Tensor) -> Tensor:
        return self.windows(values[0], -torch.inf).amax(-1)


class AveragePooling1D(_Pooling1D):
    """The mean of each window; padding does not count."""

    kinds = ("AveragePooling1D", "AvgPool1D")

    def forward(self, *values: Tensor) -> Tensor:
        steps = self.windows(torch.ones_like(values[0]), 0.0).sum(-1)
        return self.windows(values[0], 0.0).sum(-1) / steps


class _GlobalPooling1D(Layer):
    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        channels_last(spec.config)
        self.keepdims = bool(spec.config.get("keepdims"))


class GlobalMaxPooling1D(_GlobalPooling1D):
    """The largest value over time, masked or not."""

    kinds = ("GlobalMaxPooling1D", "GlobalMaxPool1D")

    def forward(self, *values: Tensor) -> Tensor:
        return values[0].amax(1, keepdim=self.keepdims)


class GlobalAveragePooling1D(_GlobalPooling1D):
    """The mean over the timesteps that are not masked; not a number where all are."""

    kinds = ("GlobalAveragePooling1D", "GlobalAvgPool1D")

    def forward(self, *values: Tensor) -> Tensor:
        return values[0].mean(1, keepdim=self.keepdims)

    def masked(self, masks: Masks, *values: Tensor) -> Tensor:
        mask = masks[0]
        if mask is None:
            return self.forward(*values)
        real = mask.unsqueeze(-1)
        total = values[0].where(real, 0.0).sum(1, keepdim=self.keepdims)
        return total / real.sum(1, keepdim=self.keepdims)
