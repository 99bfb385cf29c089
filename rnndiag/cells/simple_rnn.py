"""The plain recurrent layer (Elman 1990): h' = φ(z + h R).

Keras's ``SimpleRNN`` with any activation; PyTorch's ``nn.RNN`` with tanh or relu.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from rnndiag.activations import Activation, activation
from rnndiag.cells.base import Cell, Linearisation, Parts, State, UnfitWeights, as_array
from rnndiag.records import Array, LayerSpec, LayerWeights


class SimpleRNN(Cell):
    """One product and an activation; the state is (h,)."""

    kinds = ("SimpleRNN", "SimpleRNNCell")
    gates = ("hidden",)

    def __init__(
        self,
        kernel: Array,
        recurrent_kernel: Array,
        bias: Array | None,
        function: Activation,
    ) -> None:
        super().__init__()
        units = recurrent_kernel.shape[0]
        if recurrent_kernel.shape != (units, units) or kernel.shape[1:] != (units,):
            shapes = f"{kernel.shape} and {recurrent_kernel.shape}"
            raise UnfitWeights(f"arrays {shapes} are not a SimpleRNN's")
        if bias is not None and bias.shape != (units,):
            raise UnfitWeights(f"a bias of shape {bias.shape} is not a SimpleRNN's")
        self._keep("kernel", kernel)
        self._keep("recurrent_kernel", recurrent_kernel)
        self._keep("bias", np.zeros(units, np.float32) if bias is None else bias)
        self.has_bias = bias is not None
        self.activation = function

    @classmethod
    def from_spec(cls, spec: LayerSpec) -> SimpleRNN:
        """Unpack Keras's kernel (I, H), or PyTorch's weight_ih (H, I) and two biases."""
        if len(spec.weights) not in (2, 3, 4):
            raise UnfitWeights(f"a SimpleRNN has 2 to 4 arrays, not {len(spec.weights)}")
        kernel, recurrent, *biases = spec.weights
        if spec.packing == "torch":
            kernel, recurrent = kernel.T, recurrent.T
        bias = sum(biases[1:], biases[0]) if biases else None
        function = activation(spec.config.get("activation", "tanh"), spec.writer)
        return cls(kernel, recurrent, bias, function)

    def gate_values(self, z: Tensor, state: State) -> tuple[Tensor, ...]:
        return (self.activation(z + state[0] @ self.recurrent_kernel),)

    def step(self, z: Tensor, state: State) -> State:
        return self.gate_values(z, state)

    def parts(self, z: Tensor, state: State) -> tuple[Parts, ...]:
        recurrent = state[0] @ self.recurrent_kernel
        return (Parts(kernel=z - self.bias, recurrent=recurrent, bias=self.bias),)

    def linearise(self, z: Tensor, before: State) -> Linearisation:
        if not self.activation.elementwise:
            return super().linearise(z, before)
        return _SimpleRNNLinearisation(self, z, before)

    def stored(self) -> LayerWeights:
        return LayerWeights(
            gates=self.gates,
            kernel=as_array(self.kernel),
            recurrent_kernel=as_array(self.recurrent_kernel),
            bias=as_array(self.bias) if self.has_bias else None,
        )


class _SimpleRNNLinearisation(Linearisation):
    """The closed form: δ_{t-1} = (δ_t φ') Rᵀ."""

    def __init__(self, cell: SimpleRNN, z: Tensor, before: State) -> None:
        self.recurrent_kernel = cell.recurrent_kernel
        self.slope = cell.activation.slope(z + before[0] @ cell.recurrent_kernel)

    def pull(self, t: int, cotangent: State) -> tuple[Tensor, State]:
        dz = cotangent[0] * self.slope[t]
        return dz, (dz @ self.recurrent_kernel.T,)

    def push(self, t: int, tangent: State) -> State:
        return (self.slope[t] * (tangent[0] @ self.recurrent_kernel),)
