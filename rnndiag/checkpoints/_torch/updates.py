"""The last step of an optimizer of PyTorch, from the buffers it keeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from rnndiag.checkpoints._torch.matching import Matched
from rnndiag.checkpoints._torch.optimizers import Slot
from rnndiag.checkpoints._torch.tensors import aligned
from rnndiag.checkpoints._updates import AdamStep, LazyUpdates, Sizes, update_of
from rnndiag.records import Array, ParameterUpdate
from rnndiag.squares import rms


def updates(matched: Matched, tensors: Mapping[str, Tensor]) -> LazyUpdates:
    """The updates of all tensors whose buffers are certain and tell of it."""
    certain = {name: slots[0] for name, slots in matched.candidates.items() if len(slots) == 1}
    return LazyUpdates(
        {
            name: partial(_update, slot, tensors[name])
            for name, slot in certain.items()
            if slot.kind in _KINDS and slot.shape is not None
        }
    )


def _update(slot: Slot, weight: Tensor) -> ParameterUpdate:
    try:
        sizes = _KINDS[str(slot.kind)](slot.settings, slot.buffers)
    except (KeyError, TypeError, ValueError, ArithmeticError):
        # A setting or buffer is missing, or is no number: other code wrote the file.
        sizes = None, None
    return update_of(_array(weight), sizes)


def _adam(group: Mapping[str, Any], buffers: Mapping[str, Any]) -> Sizes:
    square = "max_exp_avg_sq" if group["amsgrad"] else "exp_avg_sq"
    return _adam_step(group, buffers).sizes(_array(buffers["exp_avg"]), _array(buffers[square]))


def _nadam(group: Mapping[str, Any], buffers: Mapping[str, Any]) -> Sizes:
    """Its update holds a share of the last gradient itself, which is not kept."""
    moments = _array(buffers["exp_avg"]), _array(buffers["exp_avg_sq"])
    return None, _adam_step(group, buffers).sizes(*moments)[1]


def _adam_step(group: Mapping[str, Any], buffers: Mapping[str, Any]) -> AdamStep:
    beta1, beta2 = group["betas"]
    return AdamStep(
        learning_rate=float(group["lr"]),
        beta1=float(beta1),
        beta2=float(beta2),
        epsilon=float(group["eps"]),
        step=int(buffers["step"]),
    )


def _sgd(group: Mapping[str, Any], buffers: Mapping[str, Any]) -> Sizes:
    """The buffer is a sum with weights μᵏ; scaled by 1 - μ it is a running mean.

    Nesterov's update holds a share of the last gradient itself, which is not kept.
    """
    size = rms(_array(buffers["momentum_buffer"]))
    mean = size * (1 - float(group["momentum"])) / (1 - float(group["dampening"]))
    return (None if group["nesterov"] else float(group["lr"]) * size), mean


def _rmsprop(group: Mapping[str, Any], buffers: Mapping[str, Any]) -> Sizes:
    """With momentum the buffer is the last step; without, the last gradient would be needed."""
    update = gradient = None
    if group["momentum"] > 0:
        update = float(group["lr"]) * rms(_array(buffers["momentum_buffer"]))
    if group["centered"]:
        started = 1 - float(group["alpha"]) ** int(buffers["step"])
        gradient = rms(_array(buffers["grad_avg"])) / started
    return update, gradient


_KINDS: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Sizes]] = {
    "Adam": _adam,
    "AdamW": _adam,
    "Adam or AdamW": _adam,
    "NAdam": _nadam,
    "SGD": _sgd,
    "RMSprop": _rmsprop,
}


_IN_NUMPY = (torch.float16, torch.float32, torch.float64)


def _array(tensor: Tensor) -> Array:
    """As it is where NumPy has its type: moments are twice as large as the weights."""
    found = tensor.detach()
    array: Array = (aligned(found) if found.dtype in _IN_NUMPY else found.double()).numpy()
    return array
