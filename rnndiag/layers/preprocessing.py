"""Layers that prepare inputs with what they were told or learnt before training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from rnndiag.layers._ops.making import one_hot
from rnndiag.layers.base import CannotRebuild, Layer, PassesMask
from rnndiag.records import LayerSpec

_SMALLEST = 1e-7
"""Keras's epsilon: a deviation of zero counts as this."""


class Rescaling(PassesMask, Layer):
    """x · scale + offset, which may differ by feature."""

    kinds = ("Rescaling",)
    scale: Tensor
    offset: Tensor

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self._keep("scale", np.asarray(spec.config["scale"], np.float32))
        self._keep("offset", np.asarray(spec.config.get("offset", 0.0), np.float32))

    def forward(self, *values: Tensor) -> Tensor:
        return values[0] * self.scale + self.offset


class Normalization(PassesMask, Layer):
    """By the mean and the deviation of the data that it was adapted to, or was told of."""

    kinds = ("Normalization",)
    mean: Tensor
    deviation: Tensor

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        config = spec.config
        stored = spec.weights[:2] if config.get("mean") is None else ()
        mean, variance = stored or (config["mean"], config["variance"])
        self._keep("mean", np.asarray(mean, np.float32))
        deviation = np.sqrt(np.asarray(variance, np.float32))
        self._keep("deviation", np.maximum(deviation, np.float32(_SMALLEST)))
        axis = config.get("axis", -1)
        self.axes = [] if axis is None else axis if isinstance(axis, list) else [axis]
        self.invert = bool(config.get("invert"))

    @classmethod
    def variables(cls, config: Mapping[str, Any]) -> tuple[bool, ...]:
        return (False, False, False) if config.get("mean") is None else ()

    def forward(self, *values: Tensor) -> Tensor:
        x = values[0]
        kept = [axis % x.dim() for axis in self.axes]
        shape = [size if axis in kept else 1 for axis, size in enumerate(x.shape)]
        mean, deviation = (
            part.expand([x.shape[k] for k in kept]).reshape(shape)
            if part.dim() < 2
            else part.reshape(shape)
            for part in (self.mean, self.deviation)
        )
        return x * deviation + mean if self.invert else (x - mean) / deviation


class CategoryEncoding(Layer):
    """Integers as ones among zeros, each by itself or those of a sample together."""

    kinds = ("CategoryEncoding",)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.mode = spec.config.get("output_mode", "multi_hot")
        self.tokens = int(spec.config["num_tokens"])
        if self.mode not in ("one_hot", "multi_hot", "count") or spec.config.get("sparse"):
            raise CannotRebuild(f"output_mode {self.mode!r} (or a sparse result) is not supported")

    def forward(self, *values: Tensor) -> Tensor:
        if len(values) != 1:
            raise ValueError("weighted counts are not supported")
        x = values[0]
        if self.mode == "one_hot":
            return one_hot(x.squeeze(-1) if x.dim() > 1 and x.shape[-1] == 1 else x, self.tokens)
        each = one_hot(x, self.tokens)
        return each.amax(-2) if self.mode == "multi_hot" else each.sum(-2)
