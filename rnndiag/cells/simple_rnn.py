"""The plain recurrent layer (Elman 1990): h' = φ(z + h R).

Keras's ``SimpleRNN`` with any activation; PyTorch's ``nn.RNN`` with tanh or relu.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rnndiag.activations import activation
from rnndiag.cells import _fused
from rnndiag.cells._packing import unpack
from rnndiag.cells.base import Cell, InTorch, Steps
from rnndiag.cells.linearisation import Linearisation, State
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

    def products(self, z: Tensor, state: State) -> Tensor:
        return self.onwards(state[0])

    def activate(self, z: Tensor, r: Tensor) -> tuple[Tensor, ...]:
        return (self.activation(z + r),)

    def advance(self, gates: tuple[Tensor, ...], state: State) -> State:
        return gates

    def hidden_states(self, x: Tensor, state: State) -> Tensor | None:
        if not _fused.fits(torch.rnn_tanh, self, x):
            return None
        weights = (self.kernel.T, self.recurrent_kernel.T, self.bias, torch.zeros_like(self.bias))
        return _fused.run(torch.rnn_tanh, x, state, weights)

    def linearise(self, steps: Steps) -> Linearisation:
        return _Closed(self, steps) if self.has_slopes else super().linearise(steps)


class _Closed(Linearisation):
    """δ_{t-1} = (δ_t φ') Rᵀ."""

    def __init__(self, cell: SimpleRNN, steps: Steps) -> None:
        self.onwards, self.backwards = cell.onwards, cell.backwards
        self.slope = cell.activation.slope(steps.z + steps.r, steps.gates[0]).unbind()

    def pull(self, t: int, cotangent: State) -> tuple[Tensor, State]:
        dz = cotangent[0] * self.slope[t]
        return dz, (self.backwards(dz),)

    def push(self, t: int, tangent: State) -> State:
        return (self.slope[t] * self.onwards(tangent[0]),)
