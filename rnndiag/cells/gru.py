"""GRU (Cho et al. 2014), with the reset gate before or after the recurrent product.

    u = σ(z_u + h R_u + b_u)    r = σ(z_r + h R_r + b_r)    h' = u h + (1 - u) n
    reset after:   n = φ(z_n + r (h R_n + b_n))     Keras 2 and 3's default, CuDNN, PyTorch
    reset before:  n = φ(z_n + (r h) R_n)           Keras's ``reset_after=False``; no b

u is Keras's z gate and r, n its r and h; σ is ``recurrent_activation``, φ ``activation``.
PyTorch stores r, u, n: its first two blocks change places here.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from rnndiag.activations import Activation
from rnndiag.cells._packing import gate_functions, unpack
from rnndiag.cells.base import (
    Cell,
    InTorch,
    Linearisation,
    Parts,
    State,
    UnfitWeights,
    as_array,
)
from rnndiag.records import Array, LayerSpec, LayerWeights


class GRU(Cell):
    """Gated recurrent unit; the state is (h,)."""

    kinds = ("GRU", "GRUCell", "CuDNNGRU")
    gates = ("update", "reset", "candidate")
    in_torch = InTorch(name="GRU")
    recurrent_bias: Tensor

    def __init__(
        self,
        kernel: Array,
        recurrent_kernel: Array,
        bias: Array | None,
        functions: tuple[Activation, ...],
        recurrent_bias: Array | None = None,
        *,
        reset_after: bool,
    ) -> None:
        super().__init__(kernel, recurrent_kernel, bias, functions)
        self._keep("recurrent_bias", recurrent_bias, *self.bias.shape)
        self.reset_after = reset_after

    @classmethod
    def from_spec(cls, spec: LayerSpec) -> GRU:
        """Unpack Keras's, CuDNN's (through Keras) or PyTorch's arrays.

        How many biases there are outranks the configuration's ``reset_after``, which old
        files do not have.
        """
        arrays = unpack(spec, len(cls.gates))
        biases = arrays.biases
        if len(biases) == 1 and biases[0].ndim == 2:
            biases = tuple(biases[0])
        if len(biases) > 2:
            raise UnfitWeights(f"a GRU has at most 2 biases, not {len(biases)}")
        kernel, recurrent = arrays.kernel, arrays.recurrent_kernel
        reset_after = len(biases) == 2 if biases else bool(spec.config.get("reset_after"))
        if spec.packing == "torch":
            kernel, recurrent, *own = _update_first(kernel, recurrent, *biases)
            biases, reset_after = tuple(own), True
        bias, recurrent_bias = (*biases, None, None)[:2]
        functions = gate_functions(spec)
        return cls(kernel, recurrent, bias, functions, recurrent_bias, reset_after=reset_after)

    def _gates(self, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The pre-activations of u and r; and m, what r scales: h R_n + b_n, or h itself."""
        units = self.hidden_size
        if self.reset_after:
            u, r, m = (h @ self.recurrent_kernel + self.recurrent_bias).chunk(3, -1)
        else:
            u, r = (h @ self.recurrent_kernel[:, : 2 * units]).chunk(2, -1)
            m = h
        return z[..., :units] + u, z[..., units : 2 * units] + r, m

    def _candidate(self, z: Tensor, r: Tensor, m: Tensor) -> Tensor:
        """The pre-activation of n."""
        z_n = z[..., 2 * self.hidden_size :]
        if self.reset_after:
            return z_n + r * m
        return z_n + (r * m) @ self.recurrent_kernel[:, 2 * self.hidden_size :]

    def gate_values(self, z: Tensor, state: State) -> tuple[Tensor, ...]:
        zu, zr, m = self._gates(z, state[0])
        u, r = self.recurrent_activation(zu), self.recurrent_activation(zr)
        return u, r, self.activation(self._candidate(z, r, m))

    def step(self, z: Tensor, state: State) -> State:
        u, _, n = self.gate_values(z, state)
        return (u * state[0] + (1 - u) * n,)

    def parts(self, z: Tensor, state: State) -> tuple[Parts, ...]:
        (h,) = state
        _, r, _ = self.gate_values(z, state)
        k_u, k_r, k_n = (z - self.bias).chunk(3, -1)
        R_u, R_r, R_n = self.recurrent_kernel.chunk(3, -1)
        b_u, b_r, b_n = self.bias.chunk(3)
        own_u, own_r, own_n = self.recurrent_bias.chunk(3)
        through = r * (h @ R_n) if self.reset_after else (r * h) @ R_n
        return (
            Parts(kernel=k_u, recurrent=h @ R_u, bias=b_u + own_u),
            Parts(kernel=k_r, recurrent=h @ R_r, bias=b_r + own_r),
            Parts(kernel=k_n, recurrent=through, bias=b_n + r * own_n),
        )

    def linearise(self, z: Tensor, before: State) -> Linearisation:
        return _Closed(self, z, before) if self.has_slopes else super().linearise(z, before)

    def stored(self) -> LayerWeights:
        weights = super().stored()
        if not (self.reset_after and self.has_bias):
            return weights
        # Only the candidate's recurrent bias stands apart; the gates' enter as a sum.
        apart = self.recurrent_bias.clone()
        apart[: 2 * self.hidden_size] = 0
        summed = self.bias + (self.recurrent_bias - apart)
        return replace(weights, bias=as_array(summed), recurrent_bias=as_array(apart))


class _Closed(Linearisation):
    """Slopes of all timesteps at once, for both places of the reset gate."""

    def __init__(self, cell: GRU, z: Tensor, before: State) -> None:
        (h,) = before
        sigma, phi = cell.recurrent_activation, cell.activation
        zu, zr, m = cell._gates(z, h)
        u, r = sigma(zu), sigma(zr)
        zn = cell._candidate(z, r, m)
        self.reset_after = cell.reset_after
        self.kernel = cell.recurrent_kernel
        self.gates_kernel = cell.recurrent_kernel[:, : 2 * cell.hidden_size]
        self.candidate_kernel = cell.recurrent_kernel[:, 2 * cell.hidden_size :]
        self.update, self.reset = u, r
        self.dh_du = (h - phi(zn)) * sigma.slope(zu)
        self.dh_dn = (1 - u) * phi.slope(zn)
        self.dm_dr = m * sigma.slope(zr)

    def pull(self, t: int, cotangent: State) -> tuple[Tensor, State]:
        (delta,) = cotangent
        du, dn = delta * self.dh_du[t], delta * self.dh_dn[t]
        if self.reset_after:
            dr = dn * self.dm_dr[t]
            through = torch.cat((du, dr, dn * self.reset[t]), -1) @ self.kernel.T
        else:
            back = dn @ self.candidate_kernel.T
            dr = back * self.dm_dr[t]
            through = torch.cat((du, dr), -1) @ self.gates_kernel.T + back * self.reset[t]
        return torch.cat((du, dr, dn), -1), (delta * self.update[t] + through,)

    def push(self, t: int, tangent: State) -> State:
        (h,) = tangent
        if self.reset_after:
            du, dr, dm = (h @ self.kernel).chunk(3, -1)
            dn = self.dm_dr[t] * dr + self.reset[t] * dm
        else:
            du, dr = (h @ self.gates_kernel).chunk(2, -1)
            dn = (self.dm_dr[t] * dr + self.reset[t] * h) @ self.candidate_kernel
        return (self.update[t] * h + self.dh_du[t] * du + self.dh_dn[t] * dn,)


def _update_first(*arrays: Array) -> tuple[Array, ...]:
    """PyTorch's blocks r, u, n in this project's order u, r, n."""
    blocks = (np.array_split(array, 3, axis=-1) for array in arrays)
    return tuple(np.concatenate((u, r, n), axis=-1) for r, u, n in blocks)
