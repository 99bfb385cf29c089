"""Backpropagation through time: what arrives at every step of a run through every path."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from rnndiag.cells.linearisation import State
from rnndiag.recurrence.unrolling import Passage, Trajectory, choose, stack


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """What arrives at n steps in a row through every path; zero at masked steps."""

    start: int
    """The first one's place in the whole run."""
    states: State
    """(δ,) or (δ, γ), (n, B, H) each; γ leaves out the path c_t → h_t of the same step."""
    direct: Tensor
    """(n, B, H) the part of δ that comes by way of no later step."""
    dz: Tensor
    """(n, B, G·H) gradient of the input's projection."""
    before: State
    """(B, H) each: gradient of the state before them."""

    def __len__(self) -> int:
        return len(self.direct)


def backpropagate(run: Trajectory, dh: Tensor, last: State, until: int = 0) -> Iterator[Arrival]:
    """Backpropagation through time, the latest steps first, and none before the step `until`.

    `dh` (T, B, H) is what reaches each h_t directly, `last` what reaches the last state
    beside it (its h part is added to dh's last step).
    """
    cotangent = last
    for passage in run.passages_back():
        arrival = _through(passage, dh[passage.start : passage.end], cotangent, until)
        yield arrival if passage.end < len(run) else _with_direct(arrival, last[0], passage.mask)
        if passage.start <= until:
            return
        cotangent = arrival.before


def _through(passage: Passage, dh: Tensor, cotangent: State, until: int) -> Arrival:
    """Back through some steps, on whose last state the `cotangent` arrives."""
    first = min(max(until - passage.start, 0), len(passage) - 1)
    states: list[State] = []
    dzs: list[Tensor] = []
    for t in reversed(range(first, len(passage))):
        cotangent = (cotangent[0] + dh[t], *cotangent[1:])
        states.append(cotangent)
        dz, cotangent = passage.pull(t, cotangent)
        dzs.append(dz)
    found = (*stack(states[::-1]), dh[first:], torch.stack(dzs[::-1]))
    if passage.mask is not None:
        found = choose(passage.mask[first:], found, tuple(map(torch.zeros_like, found)))
    *totals, direct, dz = found
    start = passage.start + first
    return Arrival(start=start, states=tuple(totals), direct=direct, dz=dz, before=cotangent)


def _with_direct(arrival: Arrival, last: Tensor, mask: Tensor | None) -> Arrival:
    """The latest arrival, where `last` (B, H) comes to the last step's direct part too."""
    shown = last if mask is None else torch.where(mask[-1].unsqueeze(-1), last, 0.0)
    whole = torch.cat((arrival.direct[:-1], (arrival.direct[-1] + shown).unsqueeze(0)))
    return replace(arrival, direct=whole)
