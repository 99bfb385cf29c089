"""MultiHeadAttention: several dot-product attentions on projections (Vaswani et al. 2017)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import reduce
from typing import Any

import torch
from torch import Tensor

from rnndiag.dialects import attention_takes_masks_away, softmax_zeroes_masked_rows
from rnndiag.layers._ops.arguments import filled
from rnndiag.layers.attention import causal
from rnndiag.layers.base import CannotRebuild, Layer, Signal
from rnndiag.records import Array, LayerSpec

_PARTS = ("query", "key", "value", "attention_output")
_OUTPUT = ("output", "attention_output")
_UNSUPPORTED = ("use_gate", "sliding_window")
_FAR = 1e9
"""What Keras takes from the score of a step that does not count."""
_ORDER = ("query", "value", "key", "query_mask", "value_mask", "key_mask", "attention_mask")
_ORDER_KERAS2 = ("query", "value", "key", "attention_mask")


class MultiHeadAttention(Layer):
    """Each head has its own part of the kernels: (D, N, H) into it, (N, V, D) out of it."""

    kinds = ("MultiHeadAttention",)
    reads_arguments = True

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        for name in _UNSUPPORTED:
            if spec.config.get(name):
                raise CannotRebuild(f"its {name} is not supported")
        if spec.config.get("attention_axes") not in (None, [1]):
            raise CannotRebuild("attention along other axes than time is not supported")
        if spec.config["call"]["differs"]:
            raise CannotRebuild("its calls have different arguments")
        self.biased = bool(spec.config.get("use_bias", True))
        for name, (kernel, bias) in _parts(spec, self.biased).items():
            self._keep(f"{name}_kernel", kernel)
            self._keep_or_none(f"{name}_bias", bias)
        self.takes_masks_away = attention_takes_masks_away(spec.writer)
        self.given = _given(spec)
        self.scored = bool(self.given.get("return_attention_scores"))
        dropped = float(spec.config.get("dropout") or 0) > 0
        self.zeroes = (self.scored or dropped) and softmax_zeroes_masked_rows(spec.writer)

    @classmethod
    def variables(cls, config: Mapping[str, Any]) -> tuple[bool, ...]:
        return (True,) * (len(_PARTS) * (2 if config.get("use_bias", True) else 1))

    def outputs(
        self, inputs: tuple[Signal, ...], values: tuple[Tensor, ...], lost: str | None
    ) -> tuple[Signal, ...]:
        signals = tuple(replace(s, value=v) for s, v in zip(inputs, values, strict=True))
        given = {name: filled(place, signals) for name, place in self.given.items()}
        query, value = given["query"], given["value"]
        key = given.get("key") or value
        if any(part.value.dim() != 3 for part in (query, value, key)):
            raise ValueError("only sequences of vectors are supported")
        seen = self._seen(given, query, value, key)
        parts = zip(_PARTS[:3], (query, key, value), strict=True)
        attended, weights = self._attend(seen, *(self._heads(n, s.value) for n, s in parts))
        output = self._heads("attention_output", attended, "btnv,nvd->btd")
        found = Signal(output, query.mask, lost), Signal(weights, lost=lost)
        return found if self.scored else found[:1]

    def _heads(self, name: str, x: Tensor, equation: str = "btd,dnh->btnh") -> Tensor:
        y = torch.einsum(equation, x, getattr(self, f"{name}_kernel"))
        bias = getattr(self, f"{name}_bias")
        return y if bias is None else y + bias

    def _attend(
        self, seen: Tensor | None, query: Tensor, key: Tensor, value: Tensor
    ) -> tuple[Tensor, Tensor]:
        """(B, T, N, V) what is attended to, and (B, N, T, S) how much."""
        scores = torch.einsum("btnh,bsnh->bnts", query / query.shape[-1] ** 0.5, key)
        if seen is None:
            weights = scores.softmax(-1)
        elif self.zeroes:
            weights = scores.where(seen, -_FAR).softmax(-1).where(seen, 0.0)
        else:
            weights = (scores - _FAR * ~seen).softmax(-1)
        return torch.einsum("bnts,bsnv->btnv", weights, value), weights

    def _seen(self, given: Mapping[str, Any], query: Any, value: Any, key: Any) -> Tensor | None:
        """(B, N, T, S) bool: which steps of the value count for which of the query."""
        whole = given.get("attention_mask")
        masks = [] if whole is None else [whole.value.bool()]
        names, parts = ("query_mask", "value_mask", "key_mask"), (query, value, key)
        own = zip(names, parts, (-1, -2, -2), strict=True)
        for name, signal, axis in own:
            told = given.get(name)
            mask = signal.mask if told is None else told.value.bool()
            if mask is not None:
                masks.append(mask.unsqueeze(axis))
        if given.get("use_causal_mask"):
            shape = query.value.shape[1], value.value.shape[1]
            masks.append(causal(query.value.new_empty(shape)).unsqueeze(0))
        each = [mask.unsqueeze(1) if mask.dim() == 3 else mask for mask in masks]
        return reduce(torch.logical_and, each) if each else None


def _given(spec: LayerSpec) -> dict[str, Any]:
    """The call's arguments by name, without those that are not given."""
    call = spec.config["call"]
    order = _ORDER if spec.writer.numbers >= (3,) else _ORDER_KERAS2
    named = {**dict(zip(order, call["args"], strict=False)), **call["kwargs"]}
    return {name: value for name, value in named.items() if value is not None}


def _parts(spec: LayerSpec, biased: bool) -> dict[str, tuple[Array, Array | None]]:
    """Each projection's kernel and bias: by the names in the file, or in Keras's order."""
    each = 2 if biased else 1
    names = [_part(name) for (name, *_) in spec.parameters]
    if len(spec.weights) != each * len(_PARTS):
        raise CannotRebuild(f"it has {len(spec.weights)} arrays, not {each * len(_PARTS)}")
    if any(name is None for name in names) or len(set(names)) != len(_PARTS):
        names = [name for name in _PARTS for _ in range(each)]
    found: dict[str, list[Array]] = {name: [] for name in _PARTS}
    for name, array in zip(names, spec.weights, strict=True):
        found[str(name)].append(array)
    return {name: (own[0], own[1] if biased else None) for name, own in found.items()}


def _part(name: str) -> str | None:
    """Which projection an array belongs to, if its name tells."""
    for piece in reversed(name.split("/")):
        piece = piece.strip("_").removesuffix("_dense")
        if piece in _OUTPUT:
            return "attention_output"
        if piece in _PARTS:
            return piece
    return None
