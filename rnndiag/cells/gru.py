"""GRU (Cho et al. 2014), with the reset gate before or after the recurrent product.

    u = σ(z_u + h R_u + b_u)    r = σ(z_r + h R_r + b_r)    h' = u h + (1 - u) n
    reset after:   n = φ(z_n + r (h R_n + b_n))     Keras 2 and 3's default, CuDNN, PyTorch
    reset before:  n = φ(z_n + (r h) R_n)           Keras's ``reset_after=False``

u is Keras's z gate and r, n its r and h; σ is ``recurrent_activation``, φ ``activation``.
PyTorch stores r, u, n: its first two blocks change places here.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from rnndiag.activations import Activation, activation
from rnndiag.cells.base import Cell, Linearisation, Parts, State, UnfitWeights, as_array
from rnndiag.cells.lstm import from_cudnn
from rnndiag.records import Array, LayerSpec, LayerWeights

Unpacked = tuple[Array, Array, "Array | None", "Array | None", bool]


class GRU(Cell):
    """Gated recurrent unit; the state is (h,)."""

    kinds = ("GRU", "GRUCell", "CuDNNGRU")
    gates = ("update", "reset", "candidate")
    keep_gate = "update"
    recurrent_bias: Tensor

    def __init__(
        self,
        kernel: Array,
        recurrent_kernel: Array,
        bias: Array | None,
        recurrent_bias: Array | None,
        reset_after: bool,
        functions: tuple[Activation, Activation],
    ) -> None:
        super().__init__()
        none = np.zeros(recurrent_kernel.shape[1], np.float32)
        self._keep("kernel", kernel)
        self._keep("recurrent_kernel", recurrent_kernel)
        self._keep("bias", none if bias is None else bias)
        self._keep("recurrent_bias", none if recurrent_bias is None else recurrent_bias)
        self.has_bias = bias is not None
        self.reset_after = reset_after
        self.activation, self.recurrent_activation = functions

    @classmethod
    def from_spec(cls, spec: LayerSpec) -> GRU:
        """Unpack Keras's, CuDNN's (through Keras) or PyTorch's arrays."""
        functions = (
            activation(spec.config.get("activation", "tanh"), spec.writer),
            activation(spec.config.get("recurrent_activation", "sigmoid"), spec.writer),
        )
        if spec.packing == "torch":
            return cls(*_from_torch(spec.weights), functions)
        return cls(*_from_keras(spec.weights, bool(spec.config.get("reset_after"))), functions)

    def _blocks(self, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(u, r, m, z_n): both gates, and what the reset gate or R_n is applied to."""
        units = self.hidden_size
        recurrent, own = self.recurrent_kernel, self.recurrent_bias
        columns = 3 * units if self.reset_after else 2 * units
        product = h @ recurrent[:, :columns] + own[:columns]
        gates = self.recurrent_activation(z[..., : 2 * units] + product[..., : 2 * units])
        u, r = gates.chunk(2, -1)
        return u, r, product[..., 2 * units :] if self.reset_after else h, z[..., 2 * units :]

    def _candidate(self, r: Tensor, m: Tensor, z_n: Tensor) -> Tensor:
        """The candidate's pre-activation."""
        if self.reset_after:
            return z_n + r * m
        return z_n + (r * m) @ self.recurrent_kernel[:, 2 * self.hidden_size :]

    def gate_values(self, z: Tensor, state: State) -> tuple[Tensor, ...]:
        u, r, m, z_n = self._blocks(z, state[0])
        return u, r, self.activation(self._candidate(r, m, z_n))

    def step(self, z: Tensor, state: State) -> State:
        u, _, n = self.gate_values(z, state)
        return (u * state[0] + (1 - u) * n,)

    def parts(self, z: Tensor, state: State) -> tuple[Parts, ...]:
        h = state[0]
        _, r, _, _ = self._blocks(z, h)
        kernel = (z - self.bias).chunk(3, -1)
        *gates, n = self.recurrent_kernel.chunk(3, -1)
        bias = self.bias.chunk(3, -1)
        own = self.recurrent_bias.chunk(3, -1)
        u_and_r = tuple(
            Parts(kernel=kernel[k], recurrent=h @ gates[k], bias=bias[k] + own[k]) for k in (0, 1)
        )
        through = r * (h @ n) if self.reset_after else (r * h) @ n
        candidate_bias = bias[2] + r * own[2]
        return (*u_and_r, Parts(kernel=kernel[2], recurrent=through, bias=candidate_bias))

    def linearise(self, z: Tensor, before: State) -> Linearisation:
        functions = (self.activation, self.recurrent_activation)
        if not all(function.elementwise for function in functions):
            return super().linearise(z, before)
        return _GRULinearisation(self, z, before)

    def stored(self) -> LayerWeights:
        own = self.recurrent_bias
        bias = self.bias
        if self.reset_after and self.has_bias:
            # Only the candidate's recurrent bias stands apart; the gates' enter as a sum.
            apart = torch.zeros_like(own)
            apart[2 * self.hidden_size :] = own[2 * self.hidden_size :]
            bias, own = bias + own - apart, apart
        return LayerWeights(
            gates=self.gates,
            kernel=as_array(self.kernel),
            recurrent_kernel=as_array(self.recurrent_kernel),
            bias=as_array(bias) if self.has_bias else None,
            recurrent_bias=as_array(own) if self.reset_after and self.has_bias else None,
        )


class _GRULinearisation(Linearisation):
    """The closed form for both places of the reset gate."""

    def __init__(self, cell: GRU, z: Tensor, before: State) -> None:
        (h,) = before
        units = cell.hidden_size
        u, r, m, z_n = cell._blocks(z, h)
        pre = z + h @ cell.recurrent_kernel + cell.recurrent_bias
        slope_u, slope_r = cell.recurrent_activation.slope(pre[..., : 2 * units]).chunk(2, -1)
        pre_n = cell._candidate(r, m, z_n)
        n = cell.activation(pre_n)
        self.cell = cell
        self.update, self.reset = u, r
        self.dh_du = (h - n) * slope_u
        self.dh_dn = (1 - u) * cell.activation.slope(pre_n)
        self.dm_dr = m * slope_r
        self.gates_kernel = cell.recurrent_kernel[:, : 2 * units]
        self.candidate_kernel = cell.recurrent_kernel[:, 2 * units :]

    def pull(self, t: int, cotangent: State) -> tuple[Tensor, State]:
        (delta,) = cotangent
        du = delta * self.dh_du[t]
        dn = delta * self.dh_dn[t]
        if self.cell.reset_after:
            dr = dn * self.dm_dr[t]
            through = torch.cat((du, dr, dn * self.reset[t]), -1) @ self.cell.recurrent_kernel.T
        else:
            back = dn @ self.candidate_kernel.T
            dr = back * self.dm_dr[t]
            through = torch.cat((du, dr), -1) @ self.gates_kernel.T + back * self.reset[t]
        return torch.cat((du, dr, dn), -1), (delta * self.update[t] + through,)

    def push(self, t: int, tangent: State) -> State:
        (h,) = tangent
        du, dr = (h @ self.gates_kernel).chunk(2, -1)
        if self.cell.reset_after:
            dn = self.dm_dr[t] * dr + self.reset[t] * (h @ self.candidate_kernel)
        else:
            dn = (self.dm_dr[t] * dr + self.reset[t] * h) @ self.candidate_kernel
        return (self.update[t] * h + self.dh_du[t] * du + self.dh_dn[t] * dn,)


def _from_keras(arrays: tuple[Array, ...], reset_after: bool) -> Unpacked:
    """Keras: kernel (I, 3H), recurrent (H, 3H), bias (3H,), or (2, 3H) with reset_after.

    The bias's shape outranks the configuration, where old files have no ``reset_after``;
    CuDNN's bias is (6H,).
    """
    if len(arrays) not in (2, 3):
        raise UnfitWeights(f"a GRU has 2 or 3 arrays, not {len(arrays)}")
    kernel, recurrent = arrays[0], arrays[1]
    units = recurrent.shape[0]
    if recurrent.shape != (units, 3 * units) or kernel.shape[1:] != (3 * units,):
        raise UnfitWeights(f"arrays {kernel.shape} and {recurrent.shape} are not a GRU's")
    if len(arrays) == 2:
        return kernel, recurrent, None, None, reset_after
    bias = arrays[2]
    if bias.shape == (6 * units,):
        kernel, recurrent = from_cudnn(kernel, 3, transposed=True), from_cudnn(recurrent, 3)
        bias = bias.reshape(2, 3 * units)
    if bias.shape == (2, 3 * units):
        return kernel, recurrent, bias[0], bias[1], True
    if bias.shape != (3 * units,):
        raise UnfitWeights(f"a bias of shape {bias.shape} is not a GRU's")
    return kernel, recurrent, bias, None, False


def _from_torch(arrays: tuple[Array, ...]) -> Unpacked:
    """PyTorch: weight_ih (3H, I), weight_hh (3H, H), bias_ih and bias_hh; blocks r, u, n."""
    kernel, recurrent, *biases = (_update_first(array) for array in arrays)
    if recurrent.shape != (3 * recurrent.shape[1], recurrent.shape[1]):
        raise UnfitWeights(f"arrays {kernel.shape} and {recurrent.shape} are not a GRU's")
    bias, own = biases if biases else (None, None)
    return kernel.T, recurrent.T, bias, own, True


def _update_first(array: Array) -> Array:
    """PyTorch's blocks r, u, n in this project's order u, r, n."""
    r, u, n = np.split(array, 3)
    return np.concatenate([u, r, n])
