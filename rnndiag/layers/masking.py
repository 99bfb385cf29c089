"""Masking: timesteps that hold nothing but one value are skipped."""

from __future__ import annotations

from torch import Tensor

from rnndiag.layers.base import Layer, Masks
from rnndiag.records import LayerSpec


class Masking(Layer):
    """Masks steps whose features all equal ``mask_value``, and sets them to zero."""

    kinds = ("Masking",)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.mask_value = float(spec.config.get("mask_value", 0.0))

    def forward(self, *values: Tensor) -> Tensor:
        real = (values[0] != self.mask_value).any(-1, keepdim=True)
        return values[0].where(real, 0.0)

    def mask(self, masks: Masks, *values: Tensor) -> Tensor | None:
        return (values[0] != self.mask_value).any(-1)
