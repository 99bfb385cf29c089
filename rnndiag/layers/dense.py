"""Dense: activation(x @ kernel + bias) along the last axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from rnndiag.activations import activation
from rnndiag.layers.base import Layer, PassesMask
from rnndiag.records import LayerSpec

_TEMPORARIES = 16
"""As many arrays of the output's size as any activation makes, and some more."""


class Dense(PassesMask, Layer):
    """A fully connected layer; ``nn.Linear`` in a state dict."""

    kinds = ("Dense",)
    kernel: Tensor
    bias: Tensor | None

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self._keep("kernel", spec.weights[0])
        self._keep_or_none("bias", next(iter(spec.weights[1:]), None))
        self.activation = activation(spec.config.get("activation"), spec.writer)

    @classmethod
    def variables(cls, config: Mapping[str, Any]) -> tuple[bool, ...]:
        return (True, True) if config.get("use_bias", True) else (True,)

    def most_bytes(self, *values: Tensor) -> int:
        """Of the product, and of all that an activation makes of it on the way."""
        rows = values[0].numel() // max(values[0].shape[-1], 1)
        return 4 * rows * self.kernel.shape[-1] * _TEMPORARIES

    def forward(self, *values: Tensor) -> Tensor:
        y = values[0] @ self.kernel
        return self.activation(y if self.bias is None else y + self.bias)
