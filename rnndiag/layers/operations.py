"""Operations on tensors, which Keras 3 keeps as layers of a functional model.

Above all those with which its layers compute masks: in a functional model of Keras 3 these
stand in the graph, and masks are arguments like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from rnndiag.layers.base import CannotRebuild, Layer
from rnndiag.records import LayerSpec

_BINARY: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "ops.NotEqual": torch.ne,
    "ops.LogicalOr": torch.logical_or,
}
_LIKE: Mapping[str, Callable[[Tensor], Tensor]] = {
    "ops.ZerosLike": torch.zeros_like,
    "ops.OnesLike": torch.ones_like,
}


class BinaryOperation(Layer):
    """Of two tensors, or a tensor and a number on either side."""

    kinds = tuple(_BINARY)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.arguments = spec.config["arguments"]
        if len(self.arguments) != 2:
            raise CannotRebuild(f"it has {len(self.arguments)} arguments, not 2")

    def forward(self, *values: Tensor) -> Tensor:
        each = iter(values)
        x, y = (
            next(each) if argument is None else torch.as_tensor(argument, device=values[0].device)
            for argument in self.arguments
        )
        return _BINARY[self.spec.kind](x, y)


class FilledOperation(Layer):
    """A constant of its input's shape."""

    kinds = tuple(_LIKE)

    def forward(self, *values: Tensor) -> Tensor:
        return _LIKE[self.spec.kind](values[0])


class AnyOperation(Layer):
    """Whether anything along an axis is not zero."""

    kinds = ("ops.Any",)

    def forward(self, *values: Tensor) -> Tensor:
        config = self.spec.config
        return values[0].bool().any(int(config["axis"]), keepdim=bool(config.get("keepdims")))


class ExpandDimsOperation(Layer):
    """An axis of size 1 more."""

    kinds = ("ops.ExpandDims",)

    def forward(self, *values: Tensor) -> Tensor:
        return values[0].unsqueeze(int(self.spec.config["axis"]))


class ConcatenateOperation(Layer):
    """Side by side; sizes of 1 elsewhere are not stretched."""

    kinds = ("ops.Concatenate",)

    def forward(self, *values: Tensor) -> Tensor:
        return torch.cat(values, int(self.spec.config["axis"]))
