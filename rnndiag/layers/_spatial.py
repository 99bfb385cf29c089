"""What works along time or along each axis of space, wherever channels stand."""

from __future__ import annotations

from torch import Tensor

from rnndiag import convolutions
from rnndiag.layers.base import Layer
from rnndiag.records import LayerSpec


def each_rank(*names: str) -> tuple[str, ...]:
    """Kinds along one, two and three axes: ``NAME1D``, ``NAME2D`` and ``NAME3D`` of each name."""
    return tuple(f"{name}{rank}D" for name in names for rank in (1, 2, 3))


class Spatial(Layer):
    """Along as many axes, `rank`, as its kind tells: time is the one of ``1D``."""

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.rank = int(spec.kind[-2])
        self.first = convolutions.channels_first(spec.config.get("data_format"))

    def forward(self, *values: Tensor) -> Tensor:
        x = convolutions.front(values[0], first=self.first)
        return convolutions.back(self.along(x), first=self.first)

    def along(self, x: Tensor) -> Tensor:
        """The output for (N, C, *space)."""
        raise NotImplementedError
