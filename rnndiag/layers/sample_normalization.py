"""Normalisation of each sample by its own values, without statistics of other samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from rnndiag.layers._ops.reducing import l2_normalized
from rnndiag.layers.base import Layer, PassesMask
from rnndiag.records import LayerSpec


def _axes(config: Mapping[str, Any]) -> list[int]:
    axis = config.get("axis", -1)
    return list(axis) if isinstance(axis, list) else [axis]


def _along(array: Tensor, axes: list[int], x: Tensor) -> Tensor:
    """An array of some axes' sizes, so that it acts along them."""
    wanted = [axis % x.dim() for axis in axes]
    return array.view([size if k in wanted else 1 for k, size in enumerate(x.shape)])


class UnitNormalization(PassesMask, Layer):
    """Of length one along some axes."""

    kinds = ("UnitNormalization",)

    def forward(self, *values: Tensor) -> Tensor:
        return l2_normalized(values[0], _axes(self.spec.config))


class RMSNormalization(Layer):
    """Zhang & Sennrich 2019: by the root of the mean square, without centring."""

    kinds = ("RMSNormalization",)
    scale: Tensor

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.axes = _axes(spec.config)
        self.epsilon = float(spec.config.get("epsilon", 1e-6))
        self._keep("scale", spec.weights[0])

    @classmethod
    def variables(cls, config: Mapping[str, Any]) -> tuple[bool, ...]:
        return (True,)

    def forward(self, *values: Tensor) -> Tensor:
        x = values[0]
        square = x.square().mean(self.axes, keepdim=True)
        return x * torch.rsqrt(square + self.epsilon) * _along(self.scale, self.axes, x)


class GroupNormalization(PassesMask, Layer):
    """Wu & He 2018: groups of channels, each by its mean and variance over all the rest."""

    kinds = ("GroupNormalization",)
    gamma: Tensor | None
    beta: Tensor | None

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        config = spec.config
        self.axis, self.groups = int(config.get("axis", -1)), int(config.get("groups", 32))
        self.epsilon = float(config.get("epsilon", 1e-3))
        arrays = iter(spec.weights)
        self._keep_or_none("gamma", next(arrays) if config.get("scale", True) else None)
        self._keep_or_none("beta", next(arrays) if config.get("center", True) else None)

    @classmethod
    def variables(cls, config: Mapping[str, Any]) -> tuple[bool, ...]:
        return (True,) * (bool(config.get("scale", True)) + bool(config.get("center", True)))

    def forward(self, *values: Tensor) -> Tensor:
        x = values[0].movedim(self.axis, 1)
        groups = x.shape[1] if self.groups == -1 else self.groups
        parts = x.reshape(len(x), groups, -1)
        variance, mean = torch.var_mean(parts, -1, correction=0, keepdim=True)
        y = ((parts - mean) / (variance + self.epsilon).sqrt()).reshape(x.shape)
        y = y.movedim(1, self.axis)
        if self.gamma is not None:
            y = y * _along(self.gamma, [self.axis], y)
        return y if self.beta is None else y + _along(self.beta, [self.axis], y)
