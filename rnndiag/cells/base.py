"""What every recurrent cell offers, and what follows for any cell from its step alone.

Row-vector convention throughout: x (…, I), kernel (I, G·H), recurrent kernel (H, G·H),
gate blocks side by side in the order of ``gates``. ``z`` is the input's projection,
x @ kernel + bias. A state is a tuple of tensors, h first. All but `Cell.step` take every
timestep at once: the leading axes are (T, B).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from rnndiag.activations import Activation
from rnndiag.records import Array, LayerSpec, LayerWeights

State = tuple[Tensor, ...]


class UnfitWeights(ValueError):
    """The arrays in the file do not fit the cell that the file names."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """One gate's pre-activation as the sum of its three parts, each (T, B, H) or wider."""

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


class Cell(nn.Module, ABC):
    """A recurrent cell with its weights, exact in evaluation mode."""

    kinds: ClassVar[tuple[str, ...]]
    gates: ClassVar[tuple[str, ...]]
    keep_gate: ClassVar[str | None] = None
    """The gate whose opening keeps the state: forget (LSTM), update (GRU)."""
    activation: Activation
    kernel: Tensor
    recurrent_kernel: Tensor
    bias: Tensor

    @classmethod
    @abstractmethod
    def from_spec(cls, spec: LayerSpec) -> Cell:
        """Unpack the arrays of `spec`; raises `UnfitWeights`."""

    @abstractmethod
    def step(self, z: Tensor, state: State) -> State:
        """The cell's equations: one timestep, or many independent ones at once."""

    @abstractmethod
    def gate_values(self, z: Tensor, state: State) -> tuple[Tensor, ...]:
        """The activated gates, in the order of ``gates``."""

    @abstractmethod
    def parts(self, z: Tensor, state: State) -> tuple[Parts, ...]:
        """Each gate's pre-activation by origin, in the order of ``gates``."""

    @abstractmethod
    def stored(self) -> LayerWeights:
        """The weights as arrays, for the measurements."""

    @property
    def input_size(self) -> int:
        """Features that each timestep of the input has."""
        return self.kernel.shape[0]

    @property
    def hidden_size(self) -> int:
        """Units of the hidden state."""
        return self.recurrent_kernel.shape[0]

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

    def _keep(self, name: str, array: Array) -> None:
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
        lead = cotangent[0].shape[: -self.z[t].dim()]
        z, *before = (x.expand(*lead, *x.shape) for x in (self.z[t], *(s[t] for s in self.before)))
        with torch.enable_grad():
            inputs = [x.detach().clone().requires_grad_() for x in (z, *before)]
            after = self.step(inputs[0], tuple(inputs[1:]))
            dz, *previous = torch.autograd.grad(
                after, inputs, cotangent, allow_unused=True, materialize_grads=True
            )
        return dz, tuple(previous)

    def push(self, t: int, tangent: State) -> State:
        def from_state(*state: Tensor) -> State:
            return self.step(self.z[t], state)

        _, after = torch.func.jvp(from_state, tuple(s[t] for s in self.before), tangent)
        return tuple(after)
