"""Whether a network whose recurrences are followed still is the network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from rnndiag.errors import BadOption
from rnndiag.live.calling import call
from rnndiag.live.outputs import Output, flat

TOLERANCE = 1e-6
"""By which outputs may differ, relative to the largest number in them or to one."""
_ROUNDING = 10.0
"""How many times further than by rounding alone, where that moves them more."""
_EPSILON = 2.0**-23
"""Of float32."""
_LEAVE_OUT = "leave it out, to have the recurrent layers measured by themselves"


def plain(module: nn.Module, values: Mapping[str, Tensor], label: str) -> list[Output]:
    """What the network gives by itself; raises `BadOption` where that is not the same twice."""
    with torch.no_grad():
        first, second = (flat(call(module, values, label)) for _ in range(2))
    worst, name = _apart(first, second, label)
    if worst > TOLERANCE:
        hint = "does it keep a state between calls, or draw its own random numbers? " + _LEAVE_OUT
        raise BadOption(f"{label}: {name} differs by {worst:.1e} from call to call", hint)
    return first


def check_same(
    module: nn.Module,
    values: Mapping[str, Tensor],
    alone: Sequence[Output],
    found: Sequence[Output],
    label: str,
) -> str | None:
    """Raise `BadOption` where `found` is not what the network gives `alone`.

    A chaotic or exploding network makes much of the last digit, and no two ways to compute it
    agree: then the limit is what a change of its weights by that digit does, which is returned
    as a note.
    """
    worst, name = _apart(alone, found, label)
    if worst <= TOLERANCE:
        return None
    with torch.no_grad(), _rounded_otherwise(module):
        moved = _apart(alone, flat(call(module, values, label)), label)[0]
    if worst > _ROUNDING * moved:
        what = f"{name} differs by {worst:.1e} once its recurrences are followed"
        raise BadOption(f"{label}: {what}", _LEAVE_OUT)
    return f"the last digit of the weights moves {name} by {moved:.1e}: nothing computes it closer"


def _apart(first: Sequence[Output], second: Sequence[Output], label: str) -> tuple[float, str]:
    """The largest difference, relative to the output's size, and which output has it."""
    if [own.value.shape for own in first] != [own.value.shape for own in second]:
        raise BadOption(f"{label}: gives outputs of other shapes from call to call", _LEAVE_OUT)
    found = [(0.0, "")]
    for before, after in zip(first, second, strict=True):
        difference = _largest(before.value - after.value.detach())
        found.append((difference / max(1.0, _largest(before.value)), before.name))
    return max(found)


def _largest(values: Tensor) -> float:
    """The largest magnitude; what is no number is so in both."""
    return float(values.abs().nan_to_num(posinf=0.0).max()) if values.numel() else 0.0


@contextmanager
def _rounded_otherwise(module: nn.Module) -> Iterator[None]:
    """Move every weight by about its last digit, up or down at random."""
    generator = torch.Generator().manual_seed(0)
    before = [parameter.clone() for parameter in module.parameters()]
    for parameter in module.parameters():
        signs = torch.randint(0, 2, parameter.shape, generator=generator).to(parameter)
        # By way of `data`: autograd keeps the weights for its way back, where they stand again.
        parameter.data.mul_(1 + (2 * signs - 1) * _EPSILON)
    try:
        yield
    finally:
        for parameter, kept in zip(module.parameters(), before, strict=True):
            parameter.data.copy_(kept)
