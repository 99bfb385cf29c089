"""The plain recurrent layer (Elman 1990): h' = φ(z + h R).

Keras's ``SimpleRNN`` with any activation; PyTorch's ``nn.RNN`` with tanh or relu.
"""

from __future__ import annotations

from torch import Tensor

from rnndiag.activations import activation
from rnndiag.cells._packing import unpack
from rnndiag.cells.base import Cell, InTorch, Linearisation, Parts, State
from rnndiag.records import LayerSpec


class SimpleRNN(Cell):
    """One product and an activation; the state is (h,)."""

    kinds = ("SimpleRNN", "SimpleRNNCell")
    gates = ("hidden",)
    in_torch = InTorch(name="RNN", chooses_activation=True)

    @classmethod
    def from_spec(cls, spec: LayerSpec) -> SimpleRNN:
        """Unpack Keras's or PyTorch's arrays; two biases enter as a sum."""
        arrays = unpack(spec, len(cls.gates))
        function = activation(spec.config.get("activation", "tanh"), spec.writer)
        return cls(arrays.kernel, arrays.recurrent_kernel, arrays.bias, (function,))

    def gate_values(self, z: Tensor, state: State) -> tuple[Tensor, ...]:
        return (self.activation(z + state[0] @ self.recurrent_kernel),)

    def step(self, z: Tensor, state: State) -> State:
        return self.gate_values(z, state)

    def parts(self, z: Tensor, state: State) -> tuple[Parts, ...]:
        recurrent = state[0] @ self.recurrent_kernel
        return (Parts(kernel=z - self.bias, recurrent=recurrent, bias=self.bias),)

    def linearise(self, z: Tensor, before: State) -> Linearisation:
        return _Closed(self, z, before) if self.has_slopes else super().linearise(z, before)


class _Closed(Linearisation):
    """δ_{t-1} = (δ_t φ') Rᵀ."""

    def __init__(self, cell: SimpleRNN, z: Tensor, before: State) -> None:
        self.recurrent_kernel = cell.recurrent_kernel
        self.slope = cell.activation.slope(z + before[0] @ cell.recurrent_kernel)

    def pull(self, t: int, cotangent: State) -> tuple[Tensor, State]:
        dz = cotangent[0] * self.slope[t]
        return dz, (dz @ self.recurrent_kernel.T,)

    def push(self, t: int, tangent: State) -> State:
        return (self.slope[t] * (tangent[0] @ self.recurrent_kernel),)
