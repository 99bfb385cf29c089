"""Pooling along time or space, in windows or altogether."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from rnndiag import convolutions
from rnndiag.layers.base import Layer, Masks
from rnndiag.records import LayerSpec

_LARGEST = {1: functional.max_pool1d, 2: functional.max_pool2d, 3: functional.max_pool3d}
_MEAN = {1: functional.avg_pool1d, 2: functional.avg_pool2d, 3: functional.avg_pool3d}


class _Pooling(Layer):
    """Windows of ``pool_size`` places, ``strides`` apart."""

    rank: ClassVar[int]
    """Axes of space, or the one of time."""

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        config = spec.config
        self.first = convolutions.channels_first(config.get("data_format"))
        self.size = convolutions.sizes(config.get("pool_size"), self.rank, 2)
        strides = config.get("strides") or self.size
        self.geometry = convolutions.Geometry.of({**config, "strides": strides}, self.rank)
        if self.geometry.padding == "causal":
            raise convolutions.UnknownGeometry("padding 'causal' is none of a pooling's")


class _MaxPooling(_Pooling):
    def forward(self, *values: Tensor) -> Tensor:
        x = convolutions.front(values[0], first=self.first)
        x = self.geometry.pad(x, self.size, -torch.inf)
        # Of equal values the first gets the whole gradient, as in the frameworks.
        largest = _LARGEST[self.rank](x, self.size, self.geometry.strides)
        return convolutions.back(largest, first=self.first)


class _AveragePooling(_Pooling):
    def forward(self, *values: Tensor) -> Tensor:
        x = convolutions.front(values[0], first=self.first)
        mean = self._mean(x) / self._mean(torch.ones_like(x[:1, :1]))
        return convolutions.back(mean, first=self.first)

    def _mean(self, x: Tensor) -> Tensor:
        x = self.geometry.pad(x, self.size)
        return _MEAN[self.rank](x, self.size, self.geometry.strides)


class MaxPooling1D(_MaxPooling):
    """The largest value of each window."""

    kinds = ("MaxPooling1D", "MaxPool1D")
    rank = 1


class MaxPooling2D(_MaxPooling):
    """The largest value of each window."""

    kinds = ("MaxPooling2D", "MaxPool2D")
    rank = 2


class MaxPooling3D(_MaxPooling):
    """The largest value of each window, which may stretch over time."""

    kinds = ("MaxPooling3D", "MaxPool3D")
    rank = 3


class AveragePooling1D(_AveragePooling):
    """The mean of each window; padding does not count."""

    kinds = ("AveragePooling1D", "AvgPool1D")
    rank = 1


class AveragePooling2D(_AveragePooling):
    """The mean of each window; padding does not count."""

    kinds = ("AveragePooling2D", "AvgPool2D")
    rank = 2


class AveragePooling3D(_AveragePooling):
    """The mean of each window; padding does not count."""

    kinds = ("AveragePooling3D", "AvgPool3D")
    rank = 3


class _GlobalPooling(Layer):
    """All places, which are those of time or space."""

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.first = convolutions.channels_first(spec.config.get("data_format"))
        self.keepdims = bool(spec.config.get("keepdims"))

    def places(self, x: Tensor) -> tuple[int, ...]:
        """The axes to pool over."""
        return tuple(range(2, x.dim()) if self.first else range(1, x.dim() - 1))


class GlobalMaxPooling(_GlobalPooling):
    """The largest value over time or space, masked or not."""

    kinds = (
        *("GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D"),
        *("GlobalMaxPool1D", "GlobalMaxPool2D", "GlobalMaxPool3D"),
    )

    def forward(self, *values: Tensor) -> Tensor:
        return values[0].amax(self.places(values[0]), keepdim=self.keepdims)


class GlobalAveragePooling(_GlobalPooling):
    """The mean over the places that are not masked; not a number where all are."""

    kinds = (
        *("GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D"),
        *("GlobalAvgPool1D", "GlobalAvgPool2D", "GlobalAvgPool3D"),
    )

    def forward(self, *values: Tensor) -> Tensor:
        return values[0].mean(self.places(values[0]), keepdim=self.keepdims)

    def masked(self, masks: Masks, *values: Tensor) -> Tensor:
        mask = masks[0]
        # Images have no timesteps that could be masked.
        if mask is None or values[0].dim() != 3:
            return self.forward(*values)
        real = mask.unsqueeze(1 if self.first else -1)
        (time,) = self.places(values[0])
        total = values[0].where(real, 0.0).sum(time, keepdim=self.keepdims)
        return total / real.sum(time, keepdim=self.keepdims)
