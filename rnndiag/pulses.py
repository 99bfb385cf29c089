"""Pulses: gradients of a loss that touches one timestep of a layer, its last real one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from rnndiag.cells.base import State
from rnndiag.layers.base import Entry, Signal
from rnndiag.network import Pass
from rnndiag.records import Probe

_PULSES_WANTED = 16
"""Pulses in all that a profile rests on; small batches send several from each sample."""
_PULSES_AT_MOST = 4
"""From one sample."""


@dataclass(frozen=True, kw_only=True)
class Pulse:
    """What one layer's pulses start as."""

    origin: Literal["output", "isotropic"]
    at: Tensor
    """(B,) the step that each sample's pulses start from; -1 where it has no real step."""
    cotangents: State
    """Of (h,) or (h, c), each (P, B, H)."""


def aim(
    done: Pass, real: Sequence[Tensor], probe: Probe, *, known: bool, seed: int
) -> list[Pulse]:
    """One set of pulses a layer, each from the last real step of its samples.

    Where the network behind the layers is `known`, their direction is the gradient of a
    random projection of its output at that step; elsewhere, or where nothing of it arrives,
    random unit vectors stand in.
    """
    generator = torch.Generator().manual_seed(seed)
    arriving = _arriving(done, probe, generator) if known else {False: [], True: []}
    found: list[Pulse] = []
    for k, (entry, steps) in enumerate(zip(done.recorder.entries, real, strict=True)):
        at = _last_true(steps)
        cotangents = [_at_step(*arrival[k], at) for arrival in arriving[entry.reflipped]]
        origin: Literal["output", "isotropic"] = "output"
        if not any(bool(state[0].any()) for state in cotangents):
            origin, cotangents = "isotropic", _isotropic(entry, generator)
        stacked = tuple(torch.stack(parts) for parts in zip(*cotangents, strict=True))
        found.append(Pulse(origin=origin, at=at, cotangents=stacked))
    return found


Arrival = list[tuple[Tensor, State]]
"""What reaches each layer's (T, B, H) sequence, and its other last states."""


def _arriving(done: Pass, probe: Probe, generator: torch.Generator) -> dict[bool, list[Arrival]]:
    """For the outputs' last step (False) and first (True): an arrival for each pulse."""
    outputs = [s for s in done.outputs if s.value is not None and s.value.requires_grad]
    entries = done.recorder.entries
    if not outputs or not entries:
        return {False: [], True: []}
    width = max(s.value.shape[-1] for s in outputs if s.value is not None)
    count = min(_count(done.recorder.batch), width)
    ends = {entry.reflipped for entry in entries}
    found: dict[bool, list[Arrival]] = {False: [], True: []}
    for first in ends:
        for _ in range(count):
            cotangents = [_output_cotangent(s, probe, first, generator) for s in outputs]
            found[first].append(_reaching(outputs, cotangents, entries))
    return found


def _count(batch: int) -> int:
    return max(1, min(_PULSES_AT_MOST, -(-_PULSES_WANTED // batch)))


def _output_cotangent(
    signal: Signal, probe: Probe, first: bool, generator: torch.Generator
) -> Tensor:
    """A random direction of unit length for each sample, at one step where there are steps."""
    value = signal.value
    assert value is not None
    direction = torch.randn(value.shape, generator=generator).to(value.device)
    if value.dim() > 2:
        at = _output_step(signal, probe, first)
        steps = torch.arange(value.shape[1], device=value.device)
        chosen = (steps == at.unsqueeze(-1)).view(*value.shape[:2], *([1] * (value.dim() - 2)))
        direction = direction * chosen
    flat = torch.nn.functional.normalize(direction.flatten(1), dim=1)
    return flat.view_as(value)


def _output_step(signal: Signal, probe: Probe, first: bool) -> Tensor:
    """(B,) the output's first or last real step."""
    value = signal.value
    assert value is not None
    real = signal.mask
    if real is None:
        real = value.new_ones(value.shape[:2], dtype=torch.bool)
        if probe.padding is not None and probe.padding.shape == tuple(value.shape[:2]):
            real = torch.from_numpy(~probe.padding).to(value.device)
    return real.int().argmax(1) if first else _last_true(real.T)


def _last_true(steps: Tensor) -> Tensor:
    """(B,) index of the last true step of (T, B); -1 where there is none."""
    index = torch.arange(steps.shape[0], device=steps.device).unsqueeze(-1)
    return torch.where(steps, index, -1).amax(0)


def _reaching(
    outputs: Sequence[Signal], cotangents: Sequence[Tensor], entries: Sequence[Entry]
) -> Arrival:
    """What the outputs' cotangents send to each recurrent layer from behind it."""
    wanted = [tensor for entry in entries for tensor in (entry.sequence, *entry.last)]
    values = [s.value for s in outputs if s.value is not None]
    got = torch.autograd.grad(
        values,
        wanted,
        list(cotangents),
        retain_graph=True,
        allow_unused=True,
        materialize_grads=True,
    )
    each = iter(got)
    return [(next(each), tuple(next(each) for _ in entry.last)) for entry in entries]


def _at_step(dh: Tensor, last: State, at: Tensor) -> State:
    """The cotangent of the state at each sample's step `at`: (B, H) each."""
    steps, batch, units = dh.shape
    index = at.clamp(min=0).view(1, batch, 1).expand(1, batch, units)
    at_end = (at == steps - 1).unsqueeze(-1)
    return dh.gather(0, index)[0], *(torch.where(at_end, part, 0.0) for part in last)


def _isotropic(entry: Entry, generator: torch.Generator) -> list[State]:
    """Random unit vectors on h_T; the other states have none."""
    batch, units = entry.sequence.shape[1:]
    zeros = tuple(torch.zeros_like(part) for part in entry.last)
    vectors = torch.randn(_PULSES_AT_MOST, batch, units, generator=generator)
    vectors = torch.nn.functional.normalize(vectors, dim=-1).to(entry.sequence.device)
    return [(vector, *zeros) for vector in vectors]
