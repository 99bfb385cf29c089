"""Pooling along time or space, in windows or altogether."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from rnndiag import convolutions
from rnndiag.layers._spatial import Spatial, each_rank
from rnndiag.layers.base import Masks
from rnndiag.records import LayerSpec

_LARGEST = {1: functional.max_pool1d, 2: functional.max_pool2d, 3: functional.max_pool3d}
_MEAN = {1: functional.avg_pool1d, 2: functional.avg_pool2d, 3: functional.avg_pool3d}


class _Pooling(Spatial):
    """Windows of ``pool_size`` places, ``strides`` apart."""

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        config = spec.config
        self.size = convolutions.sizes(config.get("pool_size"), self.rank, 2)
        strides = config.get("strides") or self.size
        self.geometry = convolutions.Geometry.of({**config, "strides": strides}, self.rank)
        if self.geometry.padding == "causal":
            raise convolutions.UnknownGeometry("padding 'causal' is none of a pooling's")


class MaxPooling(_Pooling):
    """The largest value of each window."""

    kinds = each_rank("MaxPooling", "MaxPool")

    def along(self, x: Tensor) -> Tensor:
        x = self.geometry.pad(x, self.size, -torch.inf)
        # Of equal values the first gets the whole gradient, as in the frameworks.
        largest: Tensor = _LARGEST[self.rank](x, self.size, self.geometry.strides)
        return largest


class AveragePooling(_Pooling):
    """The mean of each window; padding does not count."""

    kinds = each_rank("AveragePooling", "AvgPool")

    def along(self, x: Tensor) -> Tensor:
        return self._mean(x) / self._mean(torch.ones_like(x[:1, :1]))

    def _mean(self, x: Tensor) -> Tensor:
        x = self.geometry.pad(x, self.size)
        return _MEAN[self.rank](x, self.size, self.geometry.strides)


class _GlobalPooling(Spatial):
    """All places at once."""

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.keepdims = bool(spec.config.get("keepdims"))


class GlobalMaxPooling(_GlobalPooling):
    """The largest value over time or space, masked or not."""

    kinds = each_rank("GlobalMaxPooling", "GlobalMaxPool")

    def along(self, x: Tensor) -> Tensor:
        return x.amax(tuple(range(2, x.dim())), keepdim=self.keepdims)


class GlobalAveragePooling(_GlobalPooling):
    """The mean over the places that are not masked; not a number where all are."""

    kinds = each_rank("GlobalAveragePooling", "GlobalAvgPool")

    def along(self, x: Tensor) -> Tensor:
        return x.mean(tuple(range(2, x.dim())), keepdim=self.keepdims)

    def masked(self, masks: Masks, *values: Tensor) -> Tensor:
        mask = masks[0]
        # Images have no timesteps that could be masked.
        if mask is None or values[0].dim() != 3:
            return self.forward(*values)
        x, real = convolutions.front(values[0], first=self.first), mask.unsqueeze(1)
        total = x.where(real, 0.0).sum(2, keepdim=self.keepdims)
        mean = total / real.sum(2, keepdim=self.keepdims)
        return convolutions.back(mean, first=self.first)
