"""What a recurrent module of torch.nn reads, brought to one form, and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence


@dataclass(frozen=True, kw_only=True)
class Sequences:
    """A batch of sequences, time first."""

    x: Tensor
    """(T, B, I)"""
    mask: Tensor | None
    """(T, B) bool, true at the steps that a packed sequence has; None where all are there."""
    restore: Callable[[Tensor], Any]
    """Gives an output (T, B, …) the form that the input had."""

    def followed_by(self, x: Tensor) -> Sequences:
        """The same steps with what a layer made of them."""
        return replace(self, x=x)

    def turned(self) -> Sequences:
        """Backwards; what is masked then comes first, and leaves the initial state as it is."""
        mask = None if self.mask is None else self.mask.flip(0)
        return replace(self, x=self.x.flip(0), mask=mask)


def as_sequences(module: Any, x: Tensor | PackedSequence) -> Sequences:
    """The input of nn.RNN, nn.LSTM or nn.GRU, which say by ``batch_first`` what its axes are."""
    if isinstance(x, PackedSequence):
        return _unpacked(x)
    if x.dim() == 2:
        return Sequences(x=x.unsqueeze(1), mask=None, restore=lambda y: y.squeeze(1))
    if module.batch_first:
        return Sequences(x=x.transpose(0, 1), mask=None, restore=lambda y: y.transpose(0, 1))
    return Sequences(x=x, mask=None, restore=lambda y: y)


def _unpacked(packed: PackedSequence) -> Sequences:
    """In the order of the samples before they were sorted, which states are in, too."""
    x, lengths = pad_packed_sequence(packed)
    steps = torch.arange(len(x)).unsqueeze(-1)
    mask = (steps < lengths).to(x.device)

    def restore(y: Tensor) -> PackedSequence:
        order = packed.sorted_indices
        ordered = y if order is None else y.index_select(1, order)
        counts = lengths if order is None else lengths[order.cpu()]
        data = pack_padded_sequence(ordered, counts).data
        return PackedSequence(
            data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices
        )

    return Sequences(x=x, mask=mask, restore=restore)
