"""LSTM (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000).

    i = σ(z_i + h R_i)    f = σ(z_f + h R_f)    g = φ(z_g + h R_g)    o = σ(z_o + h R_o)
    c' = f c + i g        h' = o φ(c')          with a projection: h' = (o φ(c')) P

σ is Keras's ``recurrent_activation`` and φ its ``activation``; in PyTorch logistic and tanh.
Keras's and PyTorch's gate order is the same: i, f, g, o. Projection: Sak et al. 2014.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rnndiag.activations import Activation, activation
from rnndiag.cells.base import Cell, Linearisation, Parts, State, UnfitWeights, as_array
from rnndiag.records import Array, LayerSpec, LayerWeights


class LSTM(Cell):
    """Long short-term memory; the state is (h, c)."""

    kinds = ("LSTM", "LSTMCell", "CuDNNLSTM")
    gates = ("input", "forget", "candidate", "output")
    keep_gate = "forget"
    projection: Tensor | None

    def __init__(
        self,
        kernel: Array,
        recurrent_kernel: Array,
        bias: Array | None,
        projection: Array | None,
        functions: tuple[Activation, Activation],
    ) -> None:
        super().__init__()
        columns = recurrent_kernel.shape[1]
        self._keep("kernel", kernel)
        self._keep("recurrent_kernel", recurrent_kernel)
        self._keep("bias", np.zeros(columns, np.float32) if bias is None else bias)
        self.has_bias = bias is not None
        if projection is None:
            self.projection = None
        else:
            self._keep("projection", projection)
        self.activation, self.recurrent_activation = functions

    @classmethod
    def from_spec(cls, spec: LayerSpec) -> LSTM:
        """Unpack Keras's, CuDNN's (through Keras) or PyTorch's arrays."""
        unpack = _from_torch if spec.packing == "torch" else _from_keras
        return cls(*unpack(spec.weights), _functions(spec))

    @property
    def units(self) -> int:
        """Units of the cell state; with a projection, h has fewer."""
        return self.recurrent_kernel.shape[1] // 4

    def zero_state(self, batch: int) -> State:
        (h,) = super().zero_state(batch)
        return h, self.kernel.new_zeros(batch, self.units)

    def gate_values(self, z: Tensor, state: State) -> tuple[Tensor, ...]:
        zi, zf, zg, zo = (z + state[0] @ self.recurrent_kernel).chunk(4, -1)
        sigma, phi = self.recurrent_activation, self.activation
        return sigma(zi), sigma(zf), phi(zg), sigma(zo)

    def step(self, z: Tensor, state: State) -> State:
        i, f, g, o = self.gate_values(z, state)
        c = f * state[1] + i * g
        h = o * self.activation(c)
        return (h if self.projection is None else h @ self.projection), c

    def parts(self, z: Tensor, state: State) -> tuple[Parts, ...]:
        kernel = (z - self.bias).chunk(4, -1)
        recurrent = (state[0] @ self.recurrent_kernel).chunk(4, -1)
        bias = self.bias.chunk(4, -1)
        rows = zip(kernel, recurrent, bias, strict=True)
        return tuple(Parts(kernel=k, recurrent=r, bias=b) for k, r, b in rows)

    def linearise(self, z: Tensor, before: State) -> Linearisation:
        functions = (self.activation, self.recurrent_activation)
        if not all(function.elementwise for function in functions):
            return super().linearise(z, before)
        return _LSTMLinearisation(self, z, before)

    def hidden_cotangent(self, z: Tensor, before: State, cotangent: State) -> State:
        delta, gamma = cotangent
        *_, o = self.gate_values(z, before)
        _, c = self.step(z, before)
        back = delta if self.projection is None else delta @ self.projection.T
        return delta, gamma + back * o * self.activation.slope(c)

    def stored(self) -> LayerWeights:
        return LayerWeights(
            gates=self.gates,
            kernel=as_array(self.kernel),
            recurrent_kernel=as_array(self.recurrent_kernel),
            bias=as_array(self.bias) if self.has_bias else None,
        )


class _LSTMLinearisation(Linearisation):
    """The closed form: slopes of all timesteps at once, two small products a step."""

    def __init__(self, cell: LSTM, z: Tensor, before: State) -> None:
        h, c_before = before
        pre = (z + h @ cell.recurrent_kernel).chunk(4, -1)
        sigma, phi = cell.recurrent_activation, cell.activation
        i, f, g, o = sigma(pre[0]), sigma(pre[1]), phi(pre[2]), sigma(pre[3])
        c = f * c_before + i * g
        self.cell = cell
        self.forget = f
        self.dc_di = g * sigma.slope(pre[0])
        self.dc_df = c_before * sigma.slope(pre[1])
        self.dc_dg = i * phi.slope(pre[2])
        self.dh_do = phi(c) * sigma.slope(pre[3])
        self.dh_dc = o * phi.slope(c)

    def pull(self, t: int, cotangent: State) -> tuple[Tensor, State]:
        delta, gamma = cotangent
        if self.cell.projection is not None:
            delta = delta @ self.cell.projection.T
        gamma = gamma + delta * self.dh_dc[t]
        blocks = (gamma * self.dc_di[t], gamma * self.dc_df[t])
        blocks += (gamma * self.dc_dg[t], delta * self.dh_do[t])
        dz = torch.cat(blocks, -1)
        return dz, (dz @ self.cell.recurrent_kernel.T, gamma * self.forget[t])

    def push(self, t: int, tangent: State) -> State:
        h, c = tangent
        di, df, dg, do = (h @ self.cell.recurrent_kernel).chunk(4, -1)
        c = self.forget[t] * c
        c = c + self.dc_di[t] * di + self.dc_df[t] * df + self.dc_dg[t] * dg
        h = self.dh_dc[t] * c + self.dh_do[t] * do
        return (h if self.cell.projection is None else h @ self.cell.projection), c


def _functions(spec: LayerSpec) -> tuple[Activation, Activation]:
    """φ and σ; PyTorch's and CuDNN's are fixed and in no configuration."""
    config: Mapping[str, Any] = spec.config
    return (
        activation(config.get("activation", "tanh"), spec.writer),
        activation(config.get("recurrent_activation", "sigmoid"), spec.writer),
    )


Unpacked = tuple[Array, Array, "Array | None", "Array | None"]


def _from_keras(arrays: tuple[Array, ...]) -> Unpacked:
    """Keras: kernel (I, 4H), recurrent kernel (H, 4H), bias (4H,); CuDNN's bias is (8H,)."""
    if len(arrays) not in (2, 3):
        raise UnfitWeights(f"an LSTM has 2 or 3 arrays, not {len(arrays)}")
    kernel, recurrent = arrays[0], arrays[1]
    bias = arrays[2] if len(arrays) == 3 else None
    units = recurrent.shape[0]
    if recurrent.shape != (units, 4 * units) or kernel.shape[1:] != (4 * units,):
        raise UnfitWeights(f"arrays {kernel.shape} and {recurrent.shape} are not an LSTM's")
    if bias is not None and bias.shape == (8 * units,):
        kernel, recurrent = from_cudnn(kernel, 4, transposed=True), from_cudnn(recurrent, 4)
        bias = bias[: 4 * units] + bias[4 * units :]
    if bias is not None and bias.shape != (4 * units,):
        raise UnfitWeights(f"a bias of shape {bias.shape} is not an LSTM's")
    return kernel, recurrent, bias, None


def _from_torch(arrays: tuple[Array, ...]) -> Unpacked:
    """PyTorch: weight_ih (4H, I), weight_hh (4H, H or P), two biases, weight_hr (P, H)."""
    kernel, recurrent, *rest = arrays
    projection = rest.pop().T if len(rest) in (1, 3) else None
    bias = rest[0] + rest[1] if rest else None
    if recurrent.shape[0] != kernel.shape[0] or recurrent.shape[0] % 4:
        raise UnfitWeights(f"arrays {kernel.shape} and {recurrent.shape} are not an LSTM's")
    return kernel.T, recurrent.T, bias, projection


def from_cudnn(array: Array, gates: int, *, transposed: bool = False) -> Array:
    """Undo CuDNN's layout as Keras 2 stores it: each gate's block is transposed.

    A kernel block (I, H) holds (H, I) data in row-major order, a recurrent block its
    transpose.
    """
    blocks = np.split(array, gates, axis=1)
    if transposed:
        rows, units = blocks[0].shape
        return np.concatenate([block.reshape(units, rows).T for block in blocks], axis=1)
    return np.concatenate([block.T for block in blocks], axis=1)
