"""Convolutional LSTM (Shi et al. 2015), without peepholes, as Keras has it.

The LSTM's equations at every position of an image, with two convolutions in the place of its
two products: of the input by ``strides``, ``padding`` and ``dilation_rate``, and of h by ``same``
padding and nothing else, so that the state keeps its size.

States and gates are flat, (…, P·F): position by position, row by row, and at each position the F
filters. The gates' blocks stand one after the other as in the LSTM, so that its linearisation
holds as it is. The kernels are kept as matrices (places·channels, 4·F).
"""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor

from rnndiag import convolutions, dialects
from rnndiag.activations import UnknownActivation
from rnndiag.cells._packing import gate_functions
from rnndiag.cells.base import UnfitWeights
from rnndiag.cells.linearisation import State
from rnndiag.cells.lstm import LSTM
from rnndiag.convolutions import Geometry, Sizes
from rnndiag.records import Array, LayerSpec, LayerWeights

_GATES = 4
_SPACE = 8
"""Rows and columns of made-up images."""


class ConvLSTM(LSTM):
    """What is the same along any number of axes; the state is (h, c).

    It runs where `over` has told it the size of the images.
    """

    kinds: ClassVar[tuple[str, ...]] = ()
    in_torch = None
    rank: ClassVar[int]
    """Axes of space."""
    size: Sizes
    """Of the window, along each of them."""
    geometry: Geometry
    """How the window moves over the input."""
    first: bool
    """Whether channels stand before space outside of the cell."""
    grid: Sizes = ()
    """The state's size along each axis of space."""

    @classmethod
    def from_spec(cls, spec: LayerSpec) -> ConvLSTM:
        """Unpack Keras's arrays: kernels (*size, channels, 4·F), and at most one bias (4·F,)."""
        kernel, recurrent, *biases = _arrays(spec, cls.rank)
        if dialects.turns_kernels_around(spec.writer):
            kernel = convolutions.turned(kernel, cls.rank, spec.config.get("padding"))
            recurrent = convolutions.turned(recurrent, cls.rank, "same")
        filters = recurrent.shape[-2]
        functions = gate_functions(spec)
        if not all(function.elementwise for function in functions):
            raise UnknownActivation("an activation across all filters is not supported here")
        bias = biases[0] if biases else None
        cell = cls(_matrix(kernel), _matrix(recurrent), bias, functions, units=filters)
        cell.size = kernel.shape[: cls.rank]
        cell.geometry = Geometry.of(spec.config, cls.rank)
        cell.first = convolutions.channels_first(spec.config.get("data_format"))
        return cell

    @property
    def input_size(self) -> int:
        return self.kernel.shape[0] // math.prod(self.size)

    @property
    def hidden_size(self) -> int:
        return self.units

    def unproject(self, x: Tensor, dz: Tensor) -> Tensor:
        with torch.enable_grad():
            point = x.detach().requires_grad_()
            (dx,) = torch.autograd.grad((self.project(point) * dz).sum(), point)
        return dx

    @property
    def positions(self) -> int:
        return math.prod(self.grid)

    @property
    def offset(self) -> Tensor:
        return self._flat(self.bias.view(-1, *[1] * self.rank).expand(-1, *self.grid))

    @property
    def step_shape(self) -> tuple[int, ...]:
        space = [max(_SPACE, reach) for reach in self.geometry.reach(self.size)]
        return (self.input_size, *space) if self.first else (*space, self.input_size)

    @property
    def wanted(self) -> str:
        valid = self.geometry.padding == "valid"
        least = self.geometry.reach(self.size) if valid else (1,) * self.rank
        space = [f"{size} or more" for size in least]
        step = [str(self.input_size), *space] if self.first else [*space, str(self.input_size)]
        return f"(batch, timesteps, {', '.join(step)})"

    def takes(self, x: Tensor) -> bool:
        if x.dim() != 3 + self.rank or x.shape[2 if self.first else -1] != self.input_size:
            return False
        return min(self._grid_of(x)) > 0

    def over(self, x: Tensor) -> ConvLSTM:
        placed = copy.copy(self)
        placed.grid = self._grid_of(x)
        return placed

    def _grid_of(self, x: Tensor) -> Sizes:
        space = x.shape[3:] if self.first else x.shape[2:-1]
        return self.geometry.count(space, self.size)

    def flattened(self, state: Tensor) -> Tensor:
        return (state.movedim(1, -1) if self.first else state).flatten(1)

    def shaped(self, state: Tensor) -> Tensor:
        images = state.reshape(*state.shape[:-1], *self.grid, self.units)
        return images.movedim(-1, -1 - self.rank) if self.first else images

    def zero_state(self, batch: int) -> State:
        zeros = self.kernel.new_zeros(batch, self.positions * self.units)
        return zeros, zeros.clone()

    def project(self, x: Tensor) -> Tensor:
        """The input's share of all pre-activations: (T, B, *space, channels) to (T, B, 4·P·F)."""
        images = convolutions.front(x.flatten(0, 1), first=self.first)
        z = self.geometry.convolve(images, self._window(self.kernel), self.bias)
        return self._flat(z).reshape(*x.shape[:2], -1)

    def recur(self, h: Tensor) -> Tensor:
        images = h.reshape(-1, *self.grid, self.units).movedim(-1, 1)
        z = self._same.convolve(images, self._window(self.recurrent_kernel))
        return self._flat(z).reshape(*h.shape[:-1], -1)

    def recur_adjoint(self, dz: Tensor) -> Tensor:
        images = dz.reshape(-1, _GATES, self.positions, self.units).transpose(2, 3)
        images = images.reshape(-1, _GATES * self.units, *self.grid)
        dh = convolutions.same_adjoint(images, self._window(self.recurrent_kernel))
        return dh.movedim(1, -1).reshape(*dz.shape[:-1], -1)

    def stored(self) -> LayerWeights:
        return replace(super().stored(), window=math.prod(self.size))

    @property
    def _same(self) -> Geometry:
        return convolutions.same(self.rank)

    def _window(self, matrix: Tensor) -> Tensor:
        """The kernel that is kept as `matrix`, (4·F, channels, *size)."""
        stored = matrix.T.view(matrix.shape[1], *self.size, -1)
        return stored.movedim(-1, 1)

    def _flat(self, z: Tensor) -> Tensor:
        """(…, 4·F, *grid) as (…, 4·P·F), gate by gate."""
        lead = z.shape[: -1 - self.rank]
        blocks = z.reshape(*lead, _GATES, self.units, self.positions)
        return blocks.transpose(-1, -2).flatten(-3)


class ConvLSTM1D(ConvLSTM):
    """Along one axis beside time."""

    kinds = ("ConvLSTM1D",)
    rank = 1


class ConvLSTM2D(ConvLSTM):
    """Over images."""

    kinds = ("ConvLSTM2D",)
    rank = 2


class ConvLSTM3D(ConvLSTM):
    """Over volumes."""

    kinds = ("ConvLSTM3D",)
    rank = 3


def _arrays(spec: LayerSpec, rank: int) -> tuple[Array, ...]:
    """The layer's arrays; raises `UnfitWeights` if they are not a convolutional LSTM's."""
    shapes = [array.shape for array in spec.weights]
    have = ", ".join(map(str, shapes)) or "no arrays"
    kernels = shapes[:2]
    if len(shapes) not in (2, 3) or any(len(shape) != rank + 2 for shape in kernels):
        raise UnfitWeights(f"{spec.kind} needs two kernels of {rank + 2} axes, but has {have}")
    (*size, _, columns), (*again, filters, recurrent_columns) = kernels
    if size != again or not columns == recurrent_columns == _GATES * filters:
        raise UnfitWeights(f"the kernels of a {spec.kind} do not have the shapes {have}")
    told = spec.config.get("kernel_size")
    if told is not None and list(told) != list(size):
        raise UnfitWeights(f"the windows of a {spec.kind} are {told}, its kernels' are {size}")
    return spec.weights


def _matrix(kernel: Array) -> Array:
    matrix: Array = kernel.reshape(-1, kernel.shape[-1])
    return matrix
