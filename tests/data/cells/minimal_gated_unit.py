"""The minimal gated unit (Zhou et al. 2016), a cell that rnndiag does not have.

f = σ(z_f + h R_f)    n = φ(z_n + (f h) R_n)    h' = (1 - f) h + f n
"""

from __future__ import annotations

from torch import Tensor

from rnndiag.cells._packing import gate_functions, unpack
from rnndiag.cells.base import Cell, InTorch, Parts, State
from rnndiag.records import LayerSpec


class MGU(Cell):
    kinds = ("MGU", "MGUCell")
    gates = ("forget", "candidate")
    in_torch = InTorch(name="MGU")

    @classmethod
    def from_spec(cls, spec: LayerSpec) -> MGU:
        arrays = unpack(spec, len(cls.gates))
        return cls(arrays.kernel, arrays.recurrent_kernel, arrays.bias, gate_functions(spec))

    def gate_values(self, z: Tensor, state: State) -> tuple[Tensor, ...]:
        (h,) = state
        (zf, zn), (rf, rn) = z.chunk(2, -1), self.recurrent_kernel.chunk(2, -1)
        f = self.recurrent_activation(zf + h @ rf)
        return f, self.activation(zn + (f * h) @ rn)

    def step(self, z: Tensor, state: State) -> State:
        f, n = self.gate_values(z, state)
        return ((1 - f) * state[0] + f * n,)

    def parts(self, z: Tensor, state: State) -> tuple[Parts, ...]:
        (h,) = state
        f, _ = self.gate_values(z, state)
        rf, rn = self.recurrent_kernel.chunk(2, -1)
        recurrent = (h @ rf, (f * h) @ rn)
        rows = zip((z - self.bias).chunk(2, -1), recurrent, self.bias.chunk(2), strict=True)
        return tuple(Parts(kernel=k, recurrent=r, bias=b) for k, r, b in rows)
