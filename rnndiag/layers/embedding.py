"""Embedding: rows of a table by token id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from rnndiag.layers.base import Layer, Masks
from rnndiag.records import LayerSpec


class Embedding(Layer):
    """A lookup table (V, D); with ``mask_zero`` token 0 is no timestep."""

    kinds = ("Embedding",)
    embeddings: Tensor

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self._keep("embeddings", spec.weights[0])
        self.mask_zero = bool(spec.config.get("mask_zero"))

    @classmethod
    def variables(cls, config: Mapping[str, Any]) -> tuple[bool, ...]:
        return (True,)

    def forward(self, *values: Tensor) -> Tensor:
        return self.embeddings[values[0].long()]

    def mask(self, masks: Masks, *values: Tensor) -> Tensor | None:
        """Keras's own; PyTorch's padding is known from outside, and passes."""
        if self.mask_zero:
            return values[0] != 0
        return masks[0] if self.spec.writer.framework == "torch" else None
