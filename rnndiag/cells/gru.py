"""GRU (Cho et al. 2014), with the reset gate before or after the recurrent product.

    u = σ(z_u + h R_u + b_u)    r = σ(z_r + h R_r + b_r)    h' = u h + (1 - u) n
    reset after:   n = φ(z_n + r (h R_n + b_n))     Keras 2 and 3's default, CuDNN, PyTorch
    reset before:  n = φ(z_n + (r h) R_n)           Keras's ``reset_after=False``; no b

u is Keras's z gate and r, n its r and h; σ is ``recurrent_activation``, φ ``activation``.
PyTorch stores r, u, n: its first two blocks change places here.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from rnndiag.activations import Activation
from rnndiag.cells import _fused
from rnndiag.cells._packing import gate_functions, unpack
from rnndiag.cells.base import Cell, InTorch, Parts, Steps, UnfitWeights, as_array
from rnndiag.cells.linearisation import Linearisation, State
from rnndiag.products import Product
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

    @property
    def offset(self) -> Tensor:
        """The bias, with what of the recurrent bias enters as a sum: all but the candidate's."""
        summed = self.bias + self.recurrent_bias
        return torch.cat((summed[: 2 * self.units], self.bias[2 * self.units :]))

    @property
    def candidate_bias(self) -> Tensor:
        """The recurrent bias that the reset gate scales."""
        return self.recurrent_bias[2 * self.units :]

    def products(self, z: Tensor, state: State) -> Tensor:
        (h,) = state
        if self.reset_after:
            return self.onwards(h)
        gates = self.gates_onwards(h)
        r = self.recurrent_activation((z[..., : 2 * self.units] + gates).chunk(2, -1)[1])
        return torch.cat((gates, self.candidate_onwards(r * h)), -1)

    @cached_property
    def gates_onwards(self) -> Product:
        """From a state to the next step's u and r."""
        return Product(self.recurrent_kernel[:, : 2 * self.units])

    @cached_property
    def gates_backwards(self) -> Product:
        """The adjoint of `gates_onwards`."""
        return Product(self.recurrent_kernel[:, : 2 * self.units].T)

    @cached_property
    def candidate_backwards(self) -> Product:
        """The adjoint of `candidate_onwards`."""
        return Product(self.recurrent_kernel[:, 2 * self.units :].T)

    @cached_property
    def candidate_onwards(self) -> Product:
        """From what the reset gate leaves of a state to the next step's n."""
        return Product(self.recurrent_kernel[:, 2 * self.units :])

    def preactivations(self, z: Tensor, r: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Those of u and r; and what r scales of n's, h R_n + b, or n's own if it scales h."""
        gates = 2 * self.units
        zu, zr = (z[..., :gates] + r[..., :gates]).chunk(2, -1)
        through = r[..., gates:]
        if self.reset_after:
            return zu, zr, through + self.candidate_bias
        return zu, zr, z[..., gates:] + through

    def _candidate(self, z: Tensor, r: Tensor, m: Tensor) -> Tensor:
        """The pre-activation of n from the gate `r` and the last of the `preactivations`."""
        return torch.addcmul(z[..., 2 * self.units :], r, m) if self.reset_after else m

    def activate(self, z: Tensor, r: Tensor) -> tuple[Tensor, ...]:
        zu, zr, m = self.preactivations(z, r)
        update, reset = self.recurrent_activation(zu), self.recurrent_activation(zr)
        return update, reset, self.activation(self._candidate(z, reset, m))

    def advance(self, gates: tuple[Tensor, ...], state: State) -> State:
        u, _, n = gates
        return (torch.lerp(n, state[0], u),)

    def hidden_states(self, x: Tensor, state: State) -> Tensor | None:
        if not self.reset_after or not _fused.fits(torch.gru, self, x):
            return None
        weights = (self.kernel.T, self.recurrent_kernel.T, self.bias, self.recurrent_bias)
        return _fused.run(torch.gru, x, state, [_reset_first(rows) for rows in weights])

    def parts(self, steps: Steps) -> tuple[Parts, ...]:
        if not self.reset_after:
            return super().parts(steps)
        gates, offset, reset = 2 * self.units, self.offset, steps.gates[1]
        summed = Parts(
            kernel=steps.z[..., :gates] - offset[:gates],
            recurrent=steps.r[..., :gates],
            bias=offset[:gates],
        )
        candidate = Parts(
            kernel=steps.z[..., gates:] - offset[gates:],
            recurrent=reset * steps.r[..., gates:],
            bias=torch.addcmul(offset[gates:], reset, self.candidate_bias),
        )
        return summed, candidate

    def linearise(self, steps: Steps) -> Linearisation:
        return _Closed(self, steps) if self.has_slopes else super().linearise(steps)

    def stored(self) -> LayerWeights:
        weights = super().stored()
        if not (self.reset_after and self.has_bias):
            return weights
        apart = self.recurrent_bias.clone()
        apart[: 2 * self.units] = 0
        return replace(weights, bias=as_array(self.offset), recurrent_bias=as_array(apart))


class _Closed(Linearisation):
    """Slopes of all timesteps at once, for both places of the reset gate."""

    def __init__(self, cell: GRU, steps: Steps) -> None:
        (h,) = steps.before
        sigma, phi = cell.recurrent_activation, cell.activation
        zu, zr, m = cell.preactivations(steps.z, steps.r)
        u, r, n = steps.gates
        zn = cell._candidate(steps.z, r, m)
        scaled = m if cell.reset_after else h
        self.cell = cell
        self.update, self.reset = u.unbind(), r.unbind()
        self.dh_du = ((h - n) * sigma.slope(zu, u)).unbind()
        self.dh_dn = (sigma.complement(zu, u) * phi.slope(zn, n)).unbind()
        self.dm_dr = (scaled * sigma.slope(zr, r)).unbind()

    def pull(self, t: int, cotangent: State) -> tuple[Tensor, State]:
        (delta,) = cotangent
        du, dn = delta * self.dh_du[t], delta * self.dh_dn[t]
        if self.cell.reset_after:
            dr = dn * self.dm_dr[t]
            through = self.cell.backwards(torch.cat((du, dr, dn * self.reset[t]), -1))
        else:
            back = self.cell.candidate_backwards(dn)
            dr = back * self.dm_dr[t]
            gates = self.cell.gates_backwards(torch.cat((du, dr), -1))
            through = torch.addcmul(gates, back, self.reset[t])
        return torch.cat((du, dr, dn), -1), (torch.addcmul(through, delta, self.update[t]),)

    def push(self, t: int, tangent: State) -> State:
        (h,) = tangent
        if self.cell.reset_after:
            du, dr, dm = self.cell.onwards(h).chunk(3, -1)
            dn = self.dm_dr[t] * dr + self.reset[t] * dm
        else:
            du, dr = self.cell.gates_onwards(h).chunk(2, -1)
            dn = self.cell.candidate_onwards(self.dm_dr[t] * dr + self.reset[t] * h)
        return (self.update[t] * h + self.dh_du[t] * du + self.dh_dn[t] * dn,)


def _reset_first(rows: Tensor) -> Tensor:
    """This project's blocks u, r, n in PyTorch's order r, u, n."""
    u, r, n = rows.chunk(3)
    return torch.cat((r, u, n))


def _update_first(*arrays: Array) -> tuple[Array, ...]:
    """PyTorch's blocks r, u, n in this project's order u, r, n."""
    blocks = (np.array_split(array, 3, axis=-1) for array in arrays)
    return tuple(np.concatenate((u, r, n), axis=-1) for r, u, n in blocks)
