"""EinsumDense: activation(einsum(equation, x, kernel) + bias)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from rnndiag.activations import activation
from rnndiag.layers.base import Layer
from rnndiag.records import LayerSpec


class EinsumDense(Layer):
    """A linear layer along any axes; its bias is stored in a shape that fits the output."""

    kinds = ("EinsumDense",)
    kernel: Tensor
    bias: Tensor | None

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.equation = str(spec.config["equation"])
        self._keep("kernel", spec.weights[0])
        self._keep_or_none("bias", next(iter(spec.weights[1:]), None))
        self.activation = activation(spec.config.get("activation"), spec.writer)

    @classmethod
    def variables(cls, config: Mapping[str, Any]) -> tuple[bool, ...]:
        return (True, True) if config.get("bias_axes") else (True,)

    def forward(self, *values: Tensor) -> Tensor:
        y = torch.einsum(self.equation, values[0], self.kernel)
        return self.activation(y if self.bias is None else y + self.bias)
