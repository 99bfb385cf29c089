"""The minimal gated unit (Zhou et al. 2016), a cell that rnndiag does not have.

f = σ(z_f + h R_f)    n = φ(z_n + (f h) R_n)    h' = (1 - f) h + f n
"""

from __future__ import annotations

import torch
from torch import Tensor

from rnndiag.cells._packing import gate_functions, unpack
from rnndiag.cells.base import Cell, InTorch
from rnndiag.cells.linearisation import State
from rnndiag.records import LayerSpec


class MGU(Cell):
    kinds = ("MGU", "MGUCell")
    gates = ("forget", "candidate")
    in_torch = InTorch(name="MGU")

    @classmethod
    def from_spec(cls, spec: LayerSpec) -> MGU:
        arrays = unpack(spec, len(cls.gates))
        return cls(arrays.kernel, arrays.recurrent_kernel, arrays.bias, gate_functions(spec))

    def products(self, z: Tensor, state: State) -> Tensor:
        (h,) = state
        (zf, _), (rf, rn) = z.chunk(2, -1), self.recurrent_kernel.chunk(2, -1)
        f = self.recurrent_activation(zf + h @ rf)
        return torch.cat((h @ rf, (f * h) @ rn), -1)

    def activate(self, z: Tensor, r: Tensor) -> tuple[Tensor, ...]:
        f, n = (z + r).chunk(2, -1)
        return self.recurrent_activation(f), self.activation(n)

    def advance(self, gates: tuple[Tensor, ...], state: State) -> State:
        f, n = gates
        return ((1 - f) * state[0] + f * n,)
