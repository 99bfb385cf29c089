"""Activations as layers of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from rnndiag.activations import from_layer
from rnndiag.layers._ops.nonlinear import softmax
from rnndiag.layers.base import Layer, Masks, PassesMask
from rnndiag.records import LayerSpec


class ActivationLayer(PassesMask, Layer):
    """``Activation``, and the functions that are layers because they have a parameter."""

    kinds = ("Activation", "ReLU", "LeakyReLU", "ELU", "ThresholdedReLU")

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.activation = from_layer(spec.kind, spec.config, spec.writer)

    def forward(self, *values: Tensor) -> Tensor:
        return self.activation(values[0])


class PReLU(PassesMask, Layer):
    """A leaky ReLU with a learnt slope for each feature (He et al. 2015)."""

    kinds = ("PReLU",)
    alpha: Tensor

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self._keep("alpha", spec.weights[0])

    @classmethod
    def variables(cls, config: Mapping[str, Any]) -> tuple[bool, ...]:
        return (True,)

    def forward(self, *values: Tensor) -> Tensor:
        return torch.where(values[0] > 0, values[0], self.alpha * values[0])


class Softmax(PassesMask, Layer):
    """Softmax along one axis or several, without the masked positions."""

    kinds = ("Softmax",)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        axis = spec.config.get("axis", -1)
        self.axes = list(axis) if isinstance(axis, list) else [axis]

    def forward(self, *values: Tensor) -> Tensor:
        return softmax(values[0], self.axes)

    def masked(self, masks: Masks, *values: Tensor) -> Tensor:
        """A mask counts where it has the input's shape: one position each, not one timestep."""
        x, mask = values[0], masks[0]
        if mask is None or mask.shape != x.shape:
            return self.forward(x)
        return self.forward(x.where(mask, torch.finfo(x.dtype).min)).where(mask, 0.0)
