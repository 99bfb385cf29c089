"""A Keras layer on torch: importing this sets Keras's backend for the process."""

from __future__ import annotations

import os
from collections.abc import Callable

os.environ["KERAS_BACKEND"] = "torch"

import keras
import torch
from torch import Tensor

from tests.benchmarks.networks import Subject


def sequence(subject: Subject) -> Callable[[], Tensor]:
    """The layer with ``return_sequences``, forward and backward from its last step."""
    kind = getattr(keras.layers, subject.layer)
    layer = kind(subject.shape.hidden, return_sequences=True, **subject.settings)
    layer.build(subject.x.shape)
    layer.set_weights(subject.arrays)
    x, head = torch.from_numpy(subject.x), torch.from_numpy(subject.head)

    def step() -> Tensor:
        for variable in layer.trainable_variables:
            variable.value.grad = None
        h: Tensor = layer(x)
        torch.autograd.backward((h[:, -1] @ head).sum())
        return h.detach()

    return step
