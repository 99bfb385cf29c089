"""Layers that only move values about."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

from torch import Tensor
from torch.nn import functional

from rnndiag import convolutions
from rnndiag.layers._spatial import Spatial, each_rank
from rnndiag.layers.base import CannotRebuild, Layer
from rnndiag.records import LayerSpec


class Flatten(Layer):
    """Everything behind the batch axis in one, channels last."""

    kinds = ("Flatten",)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.first = convolutions.channels_first(spec.config.get("data_format"))

    def forward(self, *values: Tensor) -> Tensor:
        x = values[0]
        if self.first and x.dim() > 2:
            x = x.movedim(1, -1)
        return x.reshape(len(x), -1)


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


class ZeroPadding(Spatial):
    """Zeros before and after, in time, or around images and volumes."""

    kinds = each_rank("ZeroPadding")

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.sides = _sides(spec.config.get("padding", 1), self.rank)

    def along(self, x: Tensor) -> Tensor:
        return functional.pad(x, list(chain(*reversed(self.sides))))


class Cropping(Spatial):
    """Without the first and last timesteps, or the border of images and volumes."""

    kinds = each_rank("Cropping")

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.sides = _sides(spec.config.get("cropping", 1), self.rank)

    def along(self, x: Tensor) -> Tensor:
        for axis, (before, after) in enumerate(self.sides, 2):
            x = x.narrow(axis, before, x.shape[axis] - before - after)
        return x


class UpSampling(Spatial):
    """Every timestep, or every place along each axis, ``size`` times."""

    kinds = each_rank("UpSampling")

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.counts = convolutions.sizes(spec.config.get("size"), self.rank, 2)
        if spec.config.get("interpolation", "nearest") != "nearest":
            how = spec.config["interpolation"]
            raise CannotRebuild(f"only repeated values are supported, not {how!r} between them")

    def along(self, x: Tensor) -> Tensor:
        for axis, count in enumerate(self.counts, 2):
            x = x.repeat_interleave(count, axis)
        return x


def _sides(value: Any, rank: int) -> list[tuple[int, int]]:
    """Keras's one number for all sides, one for each axis, or two for each.

    Along a single axis, two numbers are its two sides.
    """
    if isinstance(value, int):
        return [(value, value)] * rank
    if isinstance(value, (list, tuple)) and rank == 1 and len(value) == 2:
        return [_pair(value)]
    if not isinstance(value, (list, tuple)) or len(value) != rank or rank == 1:
        raise CannotRebuild(f"{value!r} is not a number of steps before and after")
    return [(own, own) if isinstance(own, int) else _pair(own) for own in value]


def _pair(value: Sequence[Any]) -> tuple[int, int]:
    before, after = value
    return int(before), int(after)
