"""The Jacobians of a cell's steps, as vectors go through them; conventions as in `base`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

State = tuple[Tensor, ...]
"""What a step hands to the next one, h first."""


class Linearisation(ABC):
    """The Jacobian of every step along one trajectory, applied without being formed."""

    @abstractmethod
    def pull(self, t: int, cotangent: State) -> tuple[Tensor, State]:
        """(dL/dz_t, dL/dstate_{t-1}) from dL/dstate_t; extra leading axes broadcast."""

    @abstractmethod
    def push(self, t: int, tangent: State) -> State:
        """The tangent of state_t from that of state_{t-1}, the input held fixed."""

    @property
    def bytes(self) -> int:
        """Of its own arrays: tensors, and tuples of as many alike, one for each step."""
        return sum(map(_bytes, vars(self).values()))


@dataclass(frozen=True)
class AutogradLinearisation(Linearisation):
    """Jacobian products of any `step`, by autograd: exact, and slower than a closed form."""

    step: Callable[[Tensor, State], State]
    z: Tensor
    before: State

    @property
    def bytes(self) -> int:
        """Of its own arrays; the parts of a state may be of different widths."""
        return sum(part.nbytes for part in (self.z, *self.before))

    def pull(self, t: int, cotangent: State) -> tuple[Tensor, State]:
        z, before = self._at(t, cotangent)
        inputs = [part.detach().requires_grad_() for part in (z, *before)]
        with torch.enable_grad():
            after = self.step(inputs[0], tuple(inputs[1:]))
        dz, *previous = torch.autograd.grad(after, inputs, cotangent, materialize_grads=True)
        return dz, tuple(previous)

    def push(self, t: int, tangent: State) -> State:
        z, before = self._at(t, tangent)
        after = torch.func.jvp(lambda *state: self.step(z, state), before, tangent)[1]
        return tuple(after)

    def _at(self, t: int, like: State) -> tuple[Tensor, State]:
        """z_t and the state before it, with the extra leading axes that `like` has."""
        lead = like[0].shape[: -self.z[t].dim()]
        parts = (self.z, *self.before)
        z, *before = (x[t].expand(*lead, *x[t].shape).contiguous() for x in parts)
        return z, tuple(before)


def _bytes(part: object) -> int:
    if isinstance(part, tuple):
        return len(part) * _bytes(part[0])
    return int(part.nbytes) if isinstance(part, Tensor) else 0
