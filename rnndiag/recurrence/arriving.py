"""What is kept of the total gradients that arrive at a layer's steps."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from rnndiag.cells.linearisation import State
from rnndiag.recurrence.backpropagation import Arrival
from rnndiag.recurrence.unrolling import Trajectory


class AtSteps:
    """Of each sample, what arrives at one of its steps: an `Ear` for pulses."""

    def __init__(self, run: Trajectory, at: Tensor) -> None:
        """`at` (B,) is -1 where a sample has no such step."""
        self._at = at
        self.states: State = tuple(torch.zeros_like(part) for part in run.last)
        """(B, H) each."""

    @property
    def until(self) -> int:
        return int(self._at.clamp(min=0).min())

    def hear(self, arrival: Arrival, offset: int) -> None:
        """Keep the steps that are among these."""
        place = self._at - offset - arrival.start
        within = (place >= 0) & (place < len(arrival))
        samples = torch.arange(len(place), device=place.device)
        place = place.clamp(0, len(arrival) - 1)
        self.states = tuple(
            torch.where(within.unsqueeze(-1), part[place, samples], kept)
            for part, kept in zip(arrival.states, self.states, strict=True)
        )


class Losses:
    """How much of a loss arrives at every step, and all of it if it is wanted `in_full`."""

    until = 0

    def __init__(self, *, in_full: bool) -> None:
        self._in_full = in_full
        self._log_norms: dict[int, Tensor] = {}
        self._arrivals: dict[int, tuple[State, Tensor]] = {}

    def hear(self, arrival: Arrival, offset: int) -> None:
        """Keep what is wanted."""
        start = offset + arrival.start
        joined = torch.cat(arrival.states, -1).cpu().double()
        self._log_norms[start] = torch.linalg.vector_norm(joined, dim=-1).log()
        if self._in_full:
            self._arrivals[start] = arrival.states, arrival.direct

    def log_norm(self, run: Trajectory) -> Tensor:
        """(T, B) natural logarithm of ‖(δ, γ)‖, float64 on the CPU; -inf where nothing came by."""
        found = torch.full(run.h.shape[:2], -math.inf, dtype=torch.float64)
        for start, part in self._log_norms.items():
            found[start : start + len(part)] = part
        return found

    def states(self, run: Trajectory) -> State:
        """(δ,) or (δ, γ), each (T, B, H)."""
        found = tuple(part.new_zeros(len(run), *part.shape) for part in run.last)
        for start, (states, _) in self._arrivals.items():
            for whole, part in zip(found, states, strict=True):
                whole[start : start + len(part)] = part
        return found

    def direct(self, run: Trajectory) -> Tensor:
        """(T, B, H) the part of δ that comes by way of no later step."""
        found = torch.zeros_like(run.h)
        for start, (_, direct) in self._arrivals.items():
            found[start : start + len(direct)] = direct
        return found
