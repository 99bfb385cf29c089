"""LSTM (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000).

    i = σ(z_i + h R_i)    f = σ(z_f + h R_f)    g = φ(z_g + h R_g)    o = σ(z_o + h R_o)
    c' = f c + i g        h' = o φ(c')          with a projection: h' = (o φ(c')) P

σ is Keras's ``recurrent_activation`` and φ its ``activation``; in PyTorch logistic and tanh.
Keras's and PyTorch's gate order is the same: i, f, g, o. Projection: Sak et al. 2014.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from rnndiag.activations import Activation
from rnndiag.cells import _fused
from rnndiag.cells._packing import gate_functions, unpack
from rnndiag.cells.base import Cell, InTorch, Steps
from rnndiag.cells.linearisation import Linearisation, State
from rnndiag.records import Array, LayerSpec


class LSTM(Cell):
    """Long short-term memory; the state is (h, c)."""

    kinds: ClassVar[tuple[str, ...]] = ("LSTM", "LSTMCell", "CuDNNLSTM")
    gates = ("input", "forget", "candidate", "output")
    in_torch: ClassVar[InTorch | None] = InTorch(name="LSTM", projects=True)
    projection: Tensor | None

    def __init__(
        self,
        kernel: Array,
        recurrent_kernel: Array,
        bias: Array | None,
        functions: tuple[Activation, ...],
        projection: Array | None = None,
        units: int | None = None,
    ) -> None:
        units = units if projection is None else len(projection)
        super().__init__(kernel, recurrent_kernel, bias, functions, units)
        if projection is None:
            self.projection = None
        else:
            self._keep("projection", projection, len(projection), self.hidden_size)

    @classmethod
    def from_spec(cls, spec: LayerSpec) -> LSTM:
        """Unpack Keras's, CuDNN's (through Keras) or PyTorch's arrays; biases are summed."""
        arrays = unpack(spec, len(cls.gates))
        functions = gate_functions(spec)
        return cls(
            arrays.kernel, arrays.recurrent_kernel, arrays.bias, functions, arrays.projection
        )

    def zero_state(self, batch: int) -> State:
        return *super().zero_state(batch), self.kernel.new_zeros(batch, self.units)

    def recur(self, h: Tensor) -> Tensor:
        """The share of h in all pre-activations, which is linear in it."""
        return self.onwards(h)

    def recur_adjoint(self, dz: Tensor) -> Tensor:
        """The gradient of h from that of the pre-activations: the adjoint of `recur`."""
        return self.backwards(dz)

    def products(self, z: Tensor, state: State) -> Tensor:
        return self.recur(state[0])

    def _output(self, o: Tensor, c: Tensor) -> Tensor:
        h = o * self.activation(c)
        return h if self.projection is None else h @ self.projection

    def activate(self, z: Tensor, r: Tensor) -> tuple[Tensor, ...]:
        zi, zf, zg, zo = (z + r).chunk(4, -1)
        sigma, phi = self.recurrent_activation, self.activation
        return sigma(zi), sigma(zf), phi(zg), sigma(zo)

    def advance(self, gates: tuple[Tensor, ...], state: State) -> State:
        i, f, g, o = gates
        c = torch.addcmul(f * state[1], i, g)
        return self._output(o, c), c

    def hidden_states(self, x: Tensor, state: State) -> Tensor | None:
        if self.projection is not None or not _fused.fits(torch.lstm, self, x):
            return None
        weights = (self.kernel.T, self.recurrent_kernel.T, self.bias, torch.zeros_like(self.bias))
        return _fused.run(torch.lstm, x, state, weights)

    def follow(self, gates: tuple[Tensor, ...], before: Tensor, first: State) -> State:
        i, f, g, o = gates
        c, last = torch.empty_like(f), first[1]
        for written, kept, out in zip((i * g).unbind(), f.unbind(), c.unbind(), strict=True):
            last = torch.addcmul(written, kept, last, out=out)
        return self._output(o, c), c

    def linearise(self, steps: Steps) -> Linearisation:
        return _Closed(self, steps) if self.has_slopes else super().linearise(steps)

    def hidden_cotangent(self, steps: Steps, cotangent: State) -> State:
        delta, gamma = cotangent
        i, f, g, o = steps.gates
        with torch.enable_grad():
            c = (f * steps.before[1] + i * g).detach().requires_grad_()
            (through,) = torch.autograd.grad((self._output(o.detach(), c) * delta).sum(), c)
        return delta, gamma + through


class _Closed(Linearisation):
    """Slopes of all timesteps at once; then one product and little more a step."""

    def __init__(self, cell: LSTM, steps: Steps) -> None:
        slopes = steps.z + steps.r
        zi, zf, zg, zo = slopes.chunk(4, -1)
        sigma, phi = cell.recurrent_activation, cell.activation
        i, f, g, o = steps.gates
        before = steps.before[1]
        c = torch.addcmul(f * before, i, g)
        shown = phi(c)
        self.recur, self.recur_adjoint = cell.recur, cell.recur_adjoint
        self.projection = cell.projection
        self.dc_dc = f.unbind()
        self.dh_dc = (o * phi.slope(c, shown)).unbind()
        # (dc/dz_i, dc/dz_f, dc/dz_g, dh/dz_o), each written where its z was.
        torch.mul(g, sigma.slope(zi, i), out=zi)
        torch.mul(before, sigma.slope(zf, f), out=zf)
        torch.mul(i, phi.slope(zg, g), out=zg)
        torch.mul(shown, sigma.slope(zo, o), out=zo)
        self.slopes = slopes.unbind()

    def pull(self, t: int, cotangent: State) -> tuple[Tensor, State]:
        delta, gamma = cotangent
        if self.projection is not None:
            delta = delta @ self.projection.T
        gamma = torch.addcmul(gamma, delta, self.dh_dc[t])
        dz = torch.cat((gamma, gamma, gamma, delta), -1) * self.slopes[t]
        return dz, (self.recur_adjoint(dz), gamma * self.dc_dc[t])

    def push(self, t: int, tangent: State) -> State:
        h, c = tangent
        di, df, dg, do = (self.slopes[t] * self.recur(h)).chunk(4, -1)
        c = self.dc_dc[t] * c + di + df + dg
        h = self.dh_dc[t] * c + do
        return (h if self.projection is None else h @ self.projection), c
