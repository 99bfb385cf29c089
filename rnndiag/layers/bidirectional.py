"""Bidirectional: a layer and its mirror image, merged."""

from __future__ import annotations

import torch
from torch import Tensor

from rnndiag.layers.base import CannotRebuild, Layer, Recorder, Signal, why_lost
from rnndiag.layers.recurrent import Recurrent
from rnndiag.records import LayerSpec

_MERGES = ("concat", "sum", "mul", "ave", None)


class Bidirectional(Layer):
    """Keras's wrapper; the backward output is turned back before it is merged."""

    kinds = ("Bidirectional",)
    takes_states = True

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.merge_mode = spec.config.get("merge_mode", "concat")
        if self.merge_mode not in _MERGES:
            raise CannotRebuild(f"merge_mode {self.merge_mode!r} is not one of Keras's own")
        self.forward_layer, self.backward_layer = map(_direction, spec.inner)
        self.return_sequences = self.forward_layer.return_sequences
        self.backward_layer.reflipped = self.return_sequences

    def run(
        self, inputs: tuple[Signal, ...], initial: tuple[Signal, ...], recorder: Recorder
    ) -> tuple[Signal, ...]:
        half = len(initial) // 2
        ahead, *ahead_states = self.forward_layer.run(inputs, initial[:half], recorder)
        back, *back_states = self.backward_layer.run(inputs, initial[half:], recorder)
        return (*self._merge(ahead, back), *ahead_states, *back_states)

    def _merge(self, ahead: Signal, back: Signal) -> tuple[Signal, ...]:
        y, y_back = ahead.value, back.value
        assert y is not None
        assert y_back is not None
        if self.return_sequences:
            y_back = y_back.flip(0 if self.forward_layer.time_major else 1)
        if self.merge_mode is None:
            return ahead, Signal(y_back, ahead.mask, back.lost)
        lost = why_lost((ahead, back))
        try:
            return (Signal(self._combine(y, y_back), ahead.mask, lost),)
        except RuntimeError as error:
            # Their shapes differ: in the file, or where noise stands in for one's input.
            return (Signal(None, lost=lost or f"{self.spec.name}: {error}"),)

    def _combine(self, ahead: Tensor, back: Tensor) -> Tensor:
        if self.merge_mode == "concat":
            return torch.cat((ahead, back), -1)
        if self.merge_mode == "mul":
            return ahead * back
        total = ahead + back
        return total / 2 if self.merge_mode == "ave" else total


def _direction(spec: LayerSpec) -> Recurrent:
    """One direction; Keras wraps anything that reads a sequence both ways, this only its own."""
    if spec.kind not in Recurrent.kinds or spec.problem is not None:
        raise CannotRebuild(spec.problem or f"{spec.kind} is not a layer that rnndiag knows")
    return Recurrent(spec)
