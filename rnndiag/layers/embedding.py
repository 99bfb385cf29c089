"""Embedding: rows of a table by token id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rnndiag import mapping
from rnndiag.layers.base import Layer, Masks
from rnndiag.records import Array, LayerSpec

_AT_ONCE = 8
"""Rows that are picked before the pages around them are let go."""


class Embedding(Layer):
    """A lookup table (V, D); with ``mask_zero`` token 0 is no timestep.

    A large table stays where it is, which is in the file as a rule: few of its rows are asked for.
    """

    kinds = ("Embedding",)
    embeddings: Tensor | None

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.table = spec.weights[0]
        self._keep_or_none("embeddings", None if self._is_large() else self.table)
        self.mask_zero = bool(spec.config.get("mask_zero"))

    @classmethod
    def variables(cls, config: Mapping[str, Any]) -> tuple[bool, ...]:
        return (True,)

    def most_bytes(self, *values: Tensor) -> int:
        """Of the rows that are asked for, and of their numbers."""
        return values[0].numel() * (8 + 4 * int(self.table.shape[-1]))

    def forward(self, *values: Tensor) -> Tensor:
        wanted = values[0].long()
        if self.embeddings is not None:
            return self.embeddings[wanted]
        if wanted.is_meta:
            return wanted.new_empty((*wanted.shape, self.table.shape[-1]), dtype=torch.float32)
        found = torch.from_numpy(_rows(self.table, wanted.flatten().cpu().numpy()))
        return found.view(*wanted.shape, -1).to(wanted.device)

    def mask(self, masks: Masks, *values: Tensor) -> Tensor | None:
        """Keras's own; PyTorch's padding is known from outside, and passes."""
        if self.mask_zero:
            return values[0] != 0
        return masks[0] if self.spec.writer.framework == "torch" else None

    def _is_large(self) -> bool:
        return self.table.ndim == 2 and self.table.nbytes > mapping.BLOCK


def _rows(table: Array, wanted: Array) -> Array:
    """Rows (N, D) of a table that may be mapped, and larger than the memory."""
    found = np.empty((len(wanted), table.shape[1]), np.float32)
    for start in range(0, len(wanted), _AT_ONCE):
        piece = slice(start, start + _AT_ONCE)
        found[piece] = table[wanted[piece]]
        mapping.let_go()
    return found
