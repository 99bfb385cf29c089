"""torch's own kernels, which run a cell over many timesteps in one call: oneDNN's, cuDNN's.

They tell the hidden states and nothing of what was computed on the way; all of that follows from
the hidden states in a few large products.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from rnndiag.activations import tanh
from rnndiag.cells.base import Cell
from rnndiag.cells.linearisation import State

_ONE_LAYER = (True, 1, 0.0, False, False, False)
"""With biases, one layer, no dropout, not in training, in one direction, time first."""
_SHORT = {torch.lstm: 4e6, torch.gru: 4e5, torch.rnn_tanh: 4e5}
"""Multiplications of a timestep up to which a CPU is quicker with the kernel: oneDNN has one for
LSTMs; the others are torch's own, the same operations without the calls from Python."""


def fits(kernel: Callable[..., Any], cell: Cell, x: Tensor) -> bool:
    """Whether `kernel` has the functions of `cell`, and is quicker over `x` than its steps.

    It computes the products of x and h, which the cell needs by themselves, a second time. In
    float64 a CPU has none that would make up for it.
    """
    own = [function.function for function in cell.functions]
    weights = cell.kernel.numel() + cell.recurrent_kernel.numel()
    short = x.device.type == "cpu" and x.shape[1] * weights <= _SHORT[kernel]
    is_torchs = cell.in_torch is not None and own == [tanh, torch.sigmoid][: len(own)]
    return is_torchs and x.dtype == torch.float32 and (short or x.is_cuda)


def run(kernel: Callable[..., Any], x: Tensor, state: State, weights: Sequence[Tensor]) -> Tensor:
    """Hidden states after each step, (n, B, H), from the `state` (B, H) each.

    The `kernel` is ``torch.lstm`` or its like; the `weights` are kernel, recurrent kernel, bias
    and recurrent bias as torch's modules keep them: a row for each pre-activation.
    """
    # cuDNN takes no other than contiguous ones.
    first = [part.unsqueeze(0).contiguous() for part in state]
    rows = [part.contiguous() for part in weights]
    given = first if len(first) > 1 else first[0]
    found: Tensor = kernel(x, given, rows, *_ONE_LAYER)[0]
    return found
