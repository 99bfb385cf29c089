"""Layers that only move values about."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, ClassVar

from torch import Tensor
from torch.nn import functional

from rnndiag import convolutions
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


class _Spatial(Layer):
    """Something done along time, or along each axis of space."""

    rank: ClassVar[int] = 1

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.first = convolutions.channels_first(spec.config.get("data_format"))

    def forward(self, *values: Tensor) -> Tensor:
        x = convolutions.front(values[0], first=self.first)
        return convolutions.back(self.along(x), first=self.first)

    def along(self, x: Tensor) -> Tensor:
        """The output for (N, C, *space)."""
        raise NotImplementedError


class ZeroPadding1D(_Spatial):
    """Zeros before and after, in time."""

    kinds = ("ZeroPadding1D",)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.sides = _sides(spec.config.get("padding", 1), self.rank)

    def along(self, x: Tensor) -> Tensor:
        return functional.pad(x, list(chain(*reversed(self.sides))))


class ZeroPadding2D(ZeroPadding1D):
    """Zeros around an image."""

    kinds = ("ZeroPadding2D",)
    rank = 2


class ZeroPadding3D(ZeroPadding1D):
    """Zeros around a volume, or in time and around images."""

    kinds = ("ZeroPadding3D",)
    rank = 3


class Cropping1D(_Spatial):
    """Without the first and last timesteps."""

    kinds = ("Cropping1D",)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.sides = _sides(spec.config.get("cropping", 1), self.rank)

    def along(self, x: Tensor) -> Tensor:
        for axis, (before, after) in enumerate(self.sides, 2):
            x = x.narrow(axis, before, x.shape[axis] - before - after)
        return x


class Cropping2D(Cropping1D):
    """Without an image's border."""

    kinds = ("Cropping2D",)
    rank = 2


class Cropping3D(Cropping1D):
    """Without a volume's border."""

    kinds = ("Cropping3D",)
    rank = 3


class UpSampling1D(_Spatial):
    """Every timestep ``size`` times."""

    kinds = ("UpSampling1D",)

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


class UpSampling2D(UpSampling1D):
    """Every row and column ``size`` times."""

    kinds = ("UpSampling2D",)
    rank = 2


class UpSampling3D(UpSampling1D):
    """Every place of a volume ``size`` times along each axis."""

    kinds = ("UpSampling3D",)
    rank = 3


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
