"""Pulses: gradients of a loss that touches one timestep of a layer, its last real one."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rnndiag.cells.linearisation import State
from rnndiag.layers.base import Entry, Signal
from rnndiag.recurrence.arriving import AtSteps
from rnndiag.running.network import Pass

_PULSES_WANTED = 16
"""Pulses in all that a profile rests on; small batches send several from each sample."""
_PULSES_AT_MOST = 4
"""From one sample."""
NOTHING_KNOWN = "what follows it is not known"
NOTHING_ARRIVES = "no gradient of the network's output reaches its last step"


@dataclass(frozen=True, kw_only=True)
class Pulse:
    """What one layer's pulses start as."""

    at: Tensor
    """(B,) the step that each sample's pulses start from; -1 where it has no real step."""
    cotangents: State
    """Of (h,) or (h, c), each (P, B, H)."""
    why_isotropic: str | None
    """Why they are random unit vectors on h; None where they come from the output."""


def floor(alpha: float) -> float:
    """How far down a pulse is followed, as a natural logarithm of what is left of it.

    To `alpha` of float32's smallest normal number: where training in float32 has no gradient at
    all any more, and far beyond what span (`alpha`) and half-life (`profiles.FIT_FLOOR`) rest on.
    """
    return math.log(torch.finfo(torch.float32).tiny) + math.log(alpha)


def aim(done: Pass, *, known: bool, seed: int) -> list[Pulse]:
    """One set of pulses a layer, each from the last real step of its samples.

    Where the network behind the layers is `known`, a pulse starts as what a random
    projection of its output, at that step, sends to the state there through all that
    follows: later layers, and the layer's own steps over padding. Elsewhere, or where nothing
    of it arrives in any sample, it starts as a random unit vector on h.

    From there it runs through the layer's recurrence alone: later layers touch earlier steps
    too, and would show as a lower layer's memory what is their own.
    """
    generator = torch.Generator().manual_seed(seed)
    starts = [last_true(entry.real) for entry in done.recorder.entries]
    arriving = _arriving(done, starts, generator) if known else {False: [], True: []}
    found: list[Pulse] = []
    for k, (entry, at) in enumerate(zip(done.recorder.entries, starts, strict=True)):
        cotangents = [states[k] for states in arriving[entry.reflipped]]
        why = None
        if not any(bool(state[0].any()) for state in cotangents):
            why = NOTHING_ARRIVES if cotangents else NOTHING_KNOWN
            cotangents = _isotropic(entry, generator)
        stacked = tuple(torch.stack(parts) for parts in zip(*cotangents, strict=True))
        found.append(Pulse(at=at, cotangents=stacked, why_isotropic=why))
    return found


def _arriving(
    done: Pass, starts: Sequence[Tensor], generator: torch.Generator
) -> dict[bool, list[list[State]]]:
    """For the outputs' last step (False) and first (True): each pulse's arrivals by layer.

    `starts` (B,) are the steps of each layer that count.
    """
    outputs = [s for s in done.outputs if s.value is not None and s.value.requires_grad]
    entries = done.recorder.entries
    found: dict[bool, list[list[State]]] = {False: [], True: []}
    if not outputs or not entries:
        return found
    values = [s.value for s in outputs if s.value is not None]
    # Of an image, each pixel is a direction of its own.
    directions = max(math.prod(value.shape[2:] or value.shape[1:]) for value in values)
    count = min(_count(done.recorder.batch), directions)
    lengths = {len(entry.journal.run) for entry in entries}
    for first in {entry.reflipped for entry in entries}:
        for _ in range(count):
            sent = [_output_cotangent(s, first, lengths, generator) for s in outputs]
            ears = [AtSteps(own.journal.run, at) for own, at in zip(entries, starts, strict=True)]
            done.send_back(values, sent, ears)
            found[first].append([ear.states for ear in ears])
    return found


def _count(batch: int) -> int:
    return max(1, min(_PULSES_AT_MOST, -(-_PULSES_WANTED // batch)))


def _output_cotangent(
    signal: Signal, first: bool, lengths: Collection[int], generator: torch.Generator
) -> Tensor:
    """A random direction of unit length for each sample, at one step where there are steps.

    (B, T, rows, channels) and (B, rows, columns, channels) are told apart by the layers' `lengths`.
    """
    value = signal.value
    assert value is not None
    direction = torch.randn(value.shape, generator=generator).to(value.device)
    if value.dim() > 2 and (value.dim() != 4 or value.shape[1] in lengths):
        real = real_steps(value, signal)
        at = real.int().argmax(1) if first else last_true(real.T)
        steps = torch.arange(value.shape[1], device=value.device)
        chosen = (steps == at.unsqueeze(-1)).view(*value.shape[:2], *([1] * (value.dim() - 2)))
        direction = direction * chosen
    # An output of an operation may have one number a sample, or one for all of them.
    samples = value.shape[0] if value.dim() else 1
    flat = torch.nn.functional.normalize(direction.reshape(samples, -1), dim=1)
    return flat.view_as(value)


def real_steps(value: Tensor, signal: Signal) -> Tensor:
    """(B, T) bool, the real steps of a signal's value (B, T, …)."""
    if signal.mask is not None and signal.mask.shape == value.shape[:2]:
        return signal.mask
    if signal.padding is not None:
        return ~signal.padding
    return value.new_ones(value.shape[:2], dtype=torch.bool)


def last_true(steps: Tensor) -> Tensor:
    """(B,) index of the last true step of (T, B); -1 where there is none."""
    index = torch.arange(steps.shape[0], device=steps.device).unsqueeze(-1)
    return torch.where(steps, index, -1).amax(0)


def _isotropic(entry: Entry, generator: torch.Generator) -> list[State]:
    """Random unit vectors on h; the other states have none."""
    h, *others = entry.journal.run.last
    vectors = torch.randn(_PULSES_AT_MOST, *h.shape, generator=generator)
    vectors = torch.nn.functional.normalize(vectors, dim=-1).to(h.device)
    zeros = tuple(torch.zeros_like(part) for part in others)
    return [(vector, *zeros) for vector in vectors]
