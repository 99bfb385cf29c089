"""Bidirectional: a layer and its mirror image, merged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from rnndiag.layers.base import CannotRebuild, Layer, Recorder, Signal
from rnndiag.layers.recurrent import Recurrent
from rnndiag.records import LayerSpec

_MERGES = ("concat", "sum", "mul", "ave", None)


class Bidirectional(Layer):
    """Keras's wrapper; the backward output is turned back before it is merged."""

    kinds = ("Bidirectional",)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.merge_mode = spec.config.get("merge_mode", "concat")
        if self.merge_mode not in _MERGES:
            raise CannotRebuild(f"merge_mode {self.merge_mode!r} is not one of Keras's own")
        self.forward_layer, self.backward_layer = (Recurrent(inner) for inner in spec.inner)
        self.return_sequences = self.forward_layer.return_sequences
        self.backward_layer.reflipped = self.return_sequences

    @classmethod
    def variables(cls, config: Mapping[str, Any]) -> tuple[bool, ...]:
        inner = config.get("layer", {}).get("config", {})
        return 2 * Recurrent.variables(inner)

    def forward(self, *values: Tensor) -> Tensor:
        raise NotImplementedError("a recurrent layer runs with a recorder")

    def run(
        self, inputs: tuple[Signal, ...], initial: tuple[Signal, ...], recorder: Recorder
    ) -> tuple[Signal, ...]:
        half = len(initial) // 2
        ahead, *ahead_states = self.forward_layer.run(inputs, initial[:half], recorder)
        back, *back_states = self.backward_layer.run(inputs, initial[half:], recorder)
        if ahead.value is None or back.value is None:
            return (ahead,)
        y = back.value.flip(1) if self.return_sequences else back.value
        outputs: tuple[Signal, ...]
        if self.merge_mode is None:
            outputs = (ahead, Signal(y, ahead.mask))
        else:
            outputs = (Signal(self._merge(ahead.value, y), ahead.mask),)
        return (*outputs, *ahead_states, *back_states)

    def _merge(self, ahead: Tensor, back: Tensor) -> Tensor:
        if self.merge_mode == "concat":
            return torch.cat((ahead, back), -1)
        if self.merge_mode == "mul":
            return ahead * back
        total = ahead + back
        return total / 2 if self.merge_mode == "ave" else total
