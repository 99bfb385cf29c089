"""Layers that only move values about."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional

from rnndiag.layers.base import CannotRebuild, Layer
from rnndiag.layers.convolution import channels_last, one
from rnndiag.records import LayerSpec


class Flatten(Layer):
    """Everything behind the batch axis in one."""

    kinds = ("Flatten",)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        channels_last(spec.config)

    def forward(self, *values: Tensor) -> Tensor:
        return values[0].reshape(len(values[0]), -1)


class Reshape(Layer):
    """``target_shape`` leaves the batch axis out; one size may be -1."""

    kinds = ("Reshape",)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.shape = tuple(int(size) for size in spec.config["target_shape"])

    def forward(self, *values: Tensor) -> Tensor:
        return values[0].reshape(len(values[0]), *self.shape)


class Permute(Layer):
    """Axes in a new order; ``dims`` count from 1, behind the batch axis."""

    kinds = ("Permute",)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.order = (0, *(int(axis) for axis in spec.config["dims"]))

    def forward(self, *values: Tensor) -> Tensor:
        return values[0].permute(self.order)


class RepeatVector(Layer):
    """(B, F) at every one of ``n`` timesteps."""

    kinds = ("RepeatVector",)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.count = int(spec.config["n"])

    def forward(self, *values: Tensor) -> Tensor:
        if values[0].dim() != 2:
            raise ValueError("only (batch, features) can be repeated")
        return values[0].unsqueeze(1).expand(-1, self.count, -1)


class ZeroPadding1D(Layer):
    """Zeros before and after, in time."""

    kinds = ("ZeroPadding1D",)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        channels_last(spec.config)
        self.before, self.after = _sides(spec.config.get("padding", 1))

    def forward(self, *values: Tensor) -> Tensor:
        return functional.pad(values[0], (0, 0, self.before, self.after))


class Cropping1D(Layer):
    """Without the first and last timesteps."""

    kinds = ("Cropping1D",)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.before, self.after = _sides(spec.config.get("cropping", 1))

    def forward(self, *values: Tensor) -> Tensor:
        return values[0][:, self.before : values[0].shape[1] - self.after]


class UpSampling1D(Layer):
    """Every timestep ``size`` times."""

    kinds = ("UpSampling1D",)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.count = one(spec.config.get("size"), 2)

    def forward(self, *values: Tensor) -> Tensor:
        return values[0].repeat_interleave(self.count, 1)


def _sides(value: Any) -> tuple[int, int]:
    """Keras's one number for both sides, or one for each."""
    if isinstance(value, int):
        return value, value
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise CannotRebuild(f"{value!r} is not a number of steps before and after")
    return int(value[0]), int(value[1])
