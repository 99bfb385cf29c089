"""Attention of one sequence to another, by dot products or by a sum.

Which masks count, and whether the scores are an output too, stands in the call.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from rnndiag.dialects import merges_drop_masks
from rnndiag.layers._ops.arguments import filled
from rnndiag.layers.base import CannotRebuild, Layer, Signal
from rnndiag.records import LayerSpec

_FAR = 1e9
"""What Keras takes from the score of a step that does not count."""


def causal(scores: Tensor) -> Tensor:
    """(Tq, Tv) bool: each step sees itself and those before it."""
    return torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()


class _DenseAttention(Layer):
    """Called on a list of query, value and maybe key, each (B, T, D)."""

    reads_arguments = True

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        call = spec.config["call"]
        if call["differs"]:
            raise CannotRebuild("its calls have different arguments")
        (self.places,) = call["args"]
        self.mask_places = call["kwargs"].get("mask")
        self.scored = bool(call["kwargs"].get("return_attention_scores"))
        self.causal = bool(call["kwargs"].get("use_causal_mask") or spec.config.get("causal"))

    @abstractmethod
    def scores(self, query: Tensor, key: Tensor) -> Tensor:
        """(B, Tq, Tv) how much each step of the query asks for each of the key."""

    def outputs(
        self, inputs: tuple[Signal, ...], values: tuple[Tensor, ...], lost: str | None
    ) -> tuple[Signal, ...]:
        query, value, *keys = filled(self.places, values)
        query_mask, value_mask = self._masks(inputs)
        scores = self.scores(query, keys[0] if keys else value)
        weights = self._heeding(scores, value_mask).softmax(-1)
        output = weights @ value
        if query_mask is not None:
            output = output.where(query_mask.unsqueeze(-1), 0.0)
        mask = None if merges_drop_masks(self.spec.writer) else filled(self.places, inputs)[0].mask
        found = Signal(output, mask, lost), Signal(weights, lost=lost)
        return found if self.scored else found[:1]

    def _masks(self, inputs: tuple[Signal, ...]) -> tuple[Tensor | None, Tensor | None]:
        """Of query and value: as given by hand, or their own."""
        if self.mask_places:
            told = [found and found.value.bool() for found in filled(self.mask_places, inputs)]
            return told[0], told[1]
        if merges_drop_masks(self.spec.writer):
            return None, None
        query, value = filled(self.places, inputs)[:2]
        return query.mask, value.mask

    def _heeding(self, scores: Tensor, value_mask: Tensor | None) -> Tensor:
        """The scores without the steps that do not count."""
        seen = torch.ones_like(scores, dtype=torch.bool)
        if value_mask is not None:
            seen = seen & value_mask.unsqueeze(-2)
        if self.causal:
            seen = seen & causal(scores)
        return scores.where(seen, scores - _FAR)


class Attention(_DenseAttention):
    """Luong et al. 2015: the dot product, or a sum over tanh with learnt weights."""

    kinds = ("Attention",)
    scale: Tensor | None
    weight: Tensor | None

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.sums = spec.config.get("score_mode", "dot") == "concat"
        arrays = iter(spec.weights)
        self._keep_or_none("scale", next(arrays) if spec.config.get("use_scale") else None)
        self._keep_or_none("weight", next(arrays) if self.sums else None)

    @classmethod
    def variables(cls, config: Mapping[str, Any]) -> tuple[bool, ...]:
        sums = bool(config.get("score_mode", "dot") == "concat")
        return (True,) * (bool(config.get("use_scale")) + sums)

    def scores(self, query: Tensor, key: Tensor) -> Tensor:
        factor = 1.0 if self.scale is None else self.scale
        if self.weight is None:
            return query @ key.mT * factor
        both = query.unsqueeze(-2) + key.unsqueeze(-3)
        return self.weight * torch.tanh(factor * both).sum(-1)


class AdditiveAttention(_DenseAttention):
    """Bahdanau et al. 2015: tanh of the sum, weighted by feature."""

    kinds = ("AdditiveAttention",)
    scale: Tensor | None

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self._keep_or_none("scale", next(iter(spec.weights), None))

    @classmethod
    def variables(cls, config: Mapping[str, Any]) -> tuple[bool, ...]:
        return (True,) if config.get("use_scale", True) else ()

    def scores(self, query: Tensor, key: Tensor) -> Tensor:
        both = torch.tanh(query.unsqueeze(-2) + key.unsqueeze(-3))
        return (both if self.scale is None else both * self.scale).sum(-1)
