"""What every recurrent cell offers, and what follows for any cell from its step alone.

Row-vector convention throughout: x (…, I), kernel (I, G·H), recurrent kernel (H, G·H),
gate blocks side by side in the order of ``gates``. ``z`` is the input's projection,
x @ kernel + bias. A state is a tuple of tensors, h first. `Cell.step` and
`Cell.gate_values` take one timestep (B, …) or all of them (T, B, …) at once; whatever
speaks of a trajectory takes all of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from rnndiag.activations import Activation
from rnndiag.records import Array, LayerSpec, LayerWeights

State = tuple[Tensor, ...]


class UnfitWeights(ValueError):
    """The arrays in the file do not fit the cell that the file names."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """One gate's pre-activation as the sum of its three parts; they broadcast to (T, B, H)."""

    kernel: Tensor
    recurrent: Tensor
    bias: Tensor


class Linearisation(ABC):
    """The Jacobian of every step along one trajectory, applied without being formed."""

    @abstractmethod
    def pull(self, t: int, cotangent: State) -> tuple[Tensor, State]:
        """(dL/dz_t, dL/dstate_{t-1}) from dL/dstate_t; extra leading axes broadcast."""

    @abstractmethod
    def push(self, t: int, tangent: State) -> State:
        """The tangent of state_t from that of state_{t-1}, the input held fixed."""


@dataclass(frozen=True, kw_only=True)
class InTorch:
    """A cell as torch.nn has it; its state dict shows how many gates, and nothing else."""

    name: str
    """Its class in torch.nn, which packs one block of rows for each of the cell's gates."""
    projects: bool = False
    """Whether it may have ``weight_hr``, which narrows the state."""
    chooses_activation: bool = False
    """Whether it has tanh or relu by an argument, which the state dict does not tell."""


class Cell(nn.Module, ABC):
    """A recurrent cell with its weights, exact in evaluation mode."""

    kinds: ClassVar[tuple[str, ...]]
    """Keras's names: its layer first; those of cells by themselves end in ``Cell``."""
    gates: ClassVar[tuple[str, ...]]
    """In the order of the column blocks. The measurements go by these names: ``forget`` or
    ``update`` keeps the state, ``candidate`` is what may be written to it."""
    in_torch: ClassVar[InTorch | None] = None
    kernel: Tensor
    recurrent_kernel: Tensor
    bias: Tensor

    def __init__(
        self,
        kernel: Array,
        recurrent_kernel: Array,
        bias: Array | None,
        functions: tuple[Activation, ...],
        units: int | None = None,
    ) -> None:
        """`functions` are the state's activation and, in a gated cell, the gates'.

        `units` is the width of a gate's block where it is not that of h. Raises
        `UnfitWeights` where the shapes are not the cell's.
        """
        super().__init__()
        hidden = len(recurrent_kernel)
        columns = len(self.gates) * (units or hidden)
        self._keep("kernel", kernel, len(kernel), columns)
        self._keep("recurrent_kernel", recurrent_kernel, hidden, columns)
        self._keep("bias", bias, columns)
        self.has_bias = bias is not None
        self.functions = functions

    @classmethod
    @abstractmethod
    def from_spec(cls, spec: LayerSpec) -> Cell:
        """Unpack the arrays of `spec`; raises `UnfitWeights`."""

    @abstractmethod
    def step(self, z: Tensor, state: State) -> State:
        """The cell's equations: the next state."""

    @abstractmethod
    def gate_values(self, z: Tensor, state: State) -> tuple[Tensor, ...]:
        """The activated gates, in the order of ``gates``."""

    @abstractmethod
    def parts(self, z: Tensor, state: State) -> tuple[Parts, ...]:
        """Each gate's pre-activation by origin, in the order of ``gates``."""

    @property
    def activation(self) -> Activation:
        """The state's activation function."""
        return self.functions[0]

    @property
    def recurrent_activation(self) -> Activation:
        """The gates' activation function; without gates, the state's."""
        return self.functions[-1]

    @property
    def input_size(self) -> int:
        """Features that each timestep of the input has."""
        return self.kernel.shape[0]

    @property
    def hidden_size(self) -> int:
        """Width of the hidden state h, at one of its positions."""
        return self.recurrent_kernel.shape[0]

    @property
    def positions(self) -> int:
        """Places at which each unit has a state of its own; they stand side by side in h."""
        return 1

    @property
    def has_slopes(self) -> bool:
        """Whether all activations act on each element by itself, as closed forms need."""
        return all(function.elementwise for function in self.functions)

    # A cell that reads images (`conv_lstm`) has its own of these; all others read vectors.

    @property
    def step_shape(self) -> tuple[int, ...]:
        """One timestep of an input that the cell takes; where several fit, one of them."""
        return (self.input_size,)

    @property
    def wanted(self) -> str:
        """The input's shape, for a person."""
        return f"(batch, timesteps, {self.input_size})"

    def takes(self, x: Tensor) -> bool:
        """Whether `x` is such an input."""
        return x.dim() == 3 and x.shape[-1] == self.input_size

    def over(self, x: Tensor) -> Cell:
        """The cell to run over the input `x`."""
        return self

    def flattened(self, state: Tensor) -> Tensor:
        """A part of the state as Keras has it, in a row for each sample."""
        return state

    def shaped(self, state: Tensor) -> Tensor:
        """What undoes `flattened`, whatever axes stand before."""
        return state

    def project(self, x: Tensor) -> Tensor:
        """The input's share of all pre-activations, biases included."""
        return x @ self.kernel + self.bias

    def zero_state(self, batch: int) -> State:
        """The state before the first step, where nothing else is given."""
        return (self.kernel.new_zeros(batch, self.hidden_size),)

    def linearise(self, z: Tensor, before: State) -> Linearisation:
        """Jacobians along a trajectory; a cell with a closed form returns its own."""
        return AutogradLinearisation(self.step, z, before)

    def hidden_cotangent(self, z: Tensor, before: State, cotangent: State) -> State:
        """Autograd's totals for the states: what reaches c_t through h_t is added to γ_t."""
        return cotangent

    def stored(self) -> LayerWeights:
        """The weights as arrays, for the measurements."""
        return LayerWeights(
            gates=self.gates,
            kernel=as_array(self.kernel),
            recurrent_kernel=as_array(self.recurrent_kernel),
            bias=as_array(self.bias) if self.has_bias else None,
        )

    def _keep(self, name: str, array: Array | None, *shape: int) -> None:
        """Hold an array, which must have this shape; zeros where the file has none."""
        array = np.zeros(shape, np.float32) if array is None else array
        if array.shape != shape:
            kind = type(self).__name__
            raise UnfitWeights(f"the {name} of this {kind} has shape {array.shape}, not {shape}")
        self.register_buffer(name, as_tensor(array))


def as_tensor(array: Array) -> Tensor:
    """A float32 tensor of its own memory; row-major, whatever the file's order is."""
    return torch.tensor(array, dtype=torch.float32).contiguous()


def as_array(tensor: Tensor) -> Array:
    """The array of a detached tensor, on the CPU."""
    array: Array = tensor.detach().cpu().numpy()
    return array


@dataclass(frozen=True)
class AutogradLinearisation(Linearisation):
    """Jacobian products of any `step`, by autograd: exact, and slower than a closed form."""

    step: Callable[[Tensor, State], State]
    z: Tensor
    before: State

    def pull(self, t: int, cotangent: State) -> tuple[Tensor, State]:
        z, before = self._at(t, cotangent)
        inputs = [part.detach().requires_grad_() for part in (z, *before)]
        with torch.enable_grad():
            after = self.step(inputs[0], tuple(inputs[1:]))
        dz, *previous = torch.autograd.grad(after, inputs, cotangent, materialize_grads=True)
        return dz, tuple(previous)

    def push(self, t: int, tangent: State) -> State:
        z, before = self._at(t, tangent)
        after = torch.func.jvp(lambda *state: self.step(z, state), before, tangent)[1]
        return tuple(after)

    def _at(self, t: int, like: State) -> tuple[Tensor, State]:
        """z_t and the state before it, with the extra leading axes that `like` has."""
        lead = like[0].shape[: -self.z[t].dim()]
        parts = (self.z, *self.before)
        z, *before = (x[t].expand(*lead, *x[t].shape).contiguous() for x in parts)
        return z, tuple(before)
