"""Vectors that follow a run, right at any magnitude: pulses back through it, tangents forwards.

The recursion is linear, so it runs on vectors whose length is taken out every few steps and kept
apart, as a logarithm: nothing underflows, and no denormal number slows it down.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import reduce

import torch
from torch import Tensor

from rnndiag.cells.linearisation import State
from rnndiag.recurrence.unrolling import Passage, Trajectory, choose, join, stack

_STRIDE = 16
"""Steps between two places where the length is taken out."""
_SAFE = 1e15
"""Lengths between its inverse and this have squares in float32, and so have their elements."""
Move = Callable[[int, State], State]
"""Takes a vector over step t."""


@dataclass(frozen=True, kw_only=True)
class PulseGradients:
    """The gradient of a loss that touches one step."""

    log_norm: Tensor
    """(T, P, B) natural logarithm of ‖(δ, γ)‖, float64 on the CPU; -inf where there is none."""
    first: State | None
    """The first pulse's (δ, γ), each (T, B, H), if asked for; they underflow as float32 does."""


@torch.no_grad()
def pulse_gradients(
    run: Trajectory,
    at: Tensor,
    cotangents: State,
    *,
    floor: float = -math.inf,
    in_full: bool = False,
) -> PulseGradients:
    """Send pulses, each `cotangents` (P, B, H), back from each sample's step `at` (B,).

    A sample whose `at` is -1 gets none. They are followed until all are under what each was at
    first by more than `floor`, a natural logarithm.
    """
    log_norm = torch.full((len(run), *cotangents[0].shape[:-1]), -math.inf, dtype=torch.float64)
    shown = cotangents if in_full else ()
    first = tuple(part.new_zeros(len(run), *part.shape[1:]) for part in shown)
    begun = set(at.tolist()) - {-1}
    rays = _Rays(tuple(map(torch.zeros_like, cotangents)))
    for passage, group in _groups_back(run, begun):
        if group[0] in begun:
            rays.begin(at == group[0], cotangents)
        places = [t - passage.start for t in group]
        found = rays.along(places, passage.back).at_real_steps(passage.mask, places)
        log_norm[group[-1] : group[0] + 1] = found.log.flip(0)
        if in_full:
            for whole, part in zip(first, found.first(), strict=True):
                whole[group[-1] : group[0] + 1] = part.flip(0)
        if group[-1] <= min(begun) and rays.are_under(floor):
            break
    return PulseGradients(log_norm=log_norm, first=first if in_full else None)


def random_tangent(initial: State, seed: int) -> State:
    """A direction for each sample, drawn on the CPU, so that every device sees the same."""
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(part.shape, generator=generator).to(part) for part in initial)


def tangent_growth(run: Trajectory, tangent: State) -> Tensor:
    """(T, B) logarithm of each step's growth of a tangent that starts as `tangent`."""
    growing = Tangent(tangent)
    for passage in run.passages():
        growing.see(passage)
    return growing.growth(run.mask)


class Tangent:
    """A small difference of the states, followed as the run goes on."""

    def __init__(self, start: State) -> None:
        """`start` is a vector (B, H) for each part of the state."""
        self._rays = _Rays(tuple(map(torch.zeros_like, start)))
        self._rays.begin(torch.ones_like(start[0][:, 0], dtype=torch.bool), start)
        self._logs: list[Tensor] = []

    @torch.no_grad()
    def see(self, passage: Passage) -> None:
        """Follow it over the next steps."""
        for group in _groups(range(len(passage)), frozenset()):
            self._logs.append(self._rays.along(group, passage.push).log)

    def growth(self, mask: Tensor | None) -> Tensor:
        """(T, B) logarithm of each step's growth; float64, on the CPU.

        Its mean along a long trajectory is the top Lyapunov exponent. NaN at the steps that the
        `mask` (T, B) leaves out.
        """
        logs = torch.cat(self._logs)
        growth = torch.cat((logs, self._rays.length().unsqueeze(0))).diff(dim=0)
        # What is gone shrinks no more.
        growth = growth.where(~logs.isneginf(), -math.inf)
        return growth if mask is None else growth.where(mask.cpu(), torch.nan)


def _groups_back(
    run: Trajectory, begun: AbstractSet[int]
) -> Iterator[tuple[Passage, Sequence[int]]]:
    """The run's steps a few at a time, from the latest one in `begun` to the first."""
    for passage in run.passages_back() if begun else ():
        steps = range(min(passage.end, max(begun) + 1) - 1, passage.start - 1, -1)
        for group in _groups(steps, begun):
            yield passage, group


def _groups(steps: range, begun: AbstractSet[int]) -> Iterator[Sequence[int]]:
    """A few steps at a time; those in `begun` are the first of theirs."""
    group: list[int] = []
    for t in steps:
        if group and (t in begun or len(group) == _STRIDE):
            yield group
            group = []
        group.append(t)
    if group:
        yield group


# ---------------------------------------------------------------- vectors and their lengths


@dataclass(frozen=True, kw_only=True)
class _Followed:
    """Vectors at n steps in a row."""

    vectors: State
    """(n, …, B, H) each, but for the length that `scale` tells."""
    scale: Tensor
    """(n, …, B) natural logarithm, float64 on the CPU."""
    log: Tensor
    """(n, …, B) of their whole length."""

    def at_real_steps(self, mask: Tensor | None, places: Sequence[int]) -> _Followed:
        """The same with nothing at masked steps; `places` are the steps' in the `mask`."""
        if mask is None:
            return self
        real = mask[list(places)].cpu().unsqueeze(1)
        scale, log = (part.where(real, -math.inf) for part in (self.scale, self.log))
        return replace(self, scale=scale, log=log)

    def first(self) -> State:
        """Those of the first pulse, (n, B, H) each, in full."""
        scale = self.scale[:, 0].exp().unsqueeze(-1)
        return tuple(part[:, 0] * scale.to(part) for part in self.vectors)


class _Rays:
    """Vectors on their way; each has a length that is kept apart."""

    def __init__(self, vectors: State) -> None:
        self._vectors = vectors
        self._log = torch.zeros(vectors[0].shape[:-1], dtype=torch.float64)
        self._start = torch.full_like(self._log, -math.inf)

    def begin(self, where: Tensor, vectors: State) -> None:
        """Take `vectors` for the samples `where` (B,) says so."""
        self._vectors = choose(where, vectors, self._vectors)
        self._log = self._log.masked_fill(where.cpu(), 0.0)
        self._start = torch.where(where.cpu(), self.length(), self._start)

    def along(self, steps: Sequence[int], move: Move) -> _Followed:
        """The vectors at each of the `steps`; afterwards they are one step behind the last."""
        self._take_length_out()
        start, states = self._vectors, []
        for t in steps:
            states.append(self._vectors)
            self._vectors = move(t, self._vectors)
        found = stack(states)
        length = _length(found)
        if len(steps) > 1 and not _is_safe(length):
            self._vectors = start
            return _joined([self.along([t], move) for t in steps])
        scale = self._log.expand(len(steps), *self._log.shape)
        log = scale + length.cpu().double().log()
        return _Followed(vectors=found, scale=scale, log=log)

    def length(self) -> Tensor:
        """(…, B) natural logarithm of each one's length now."""
        self._take_length_out()
        return self._log

    def are_under(self, floor: float) -> bool:
        """Whether all have shrunk by so much, a natural logarithm, since they began."""
        return bool((self.length() <= self._start + floor).all())

    def _take_length_out(self) -> None:
        self._vectors, length = _normalise(self._vectors)
        self._log = self._log + length.cpu().double().log()


def _joined(pieces: Sequence[_Followed]) -> _Followed:
    return _Followed(
        vectors=join(own.vectors for own in pieces),
        scale=torch.cat([own.scale for own in pieces]),
        log=torch.cat([own.log for own in pieces]),
    )


def _length(vectors: State) -> Tensor:
    """‖·‖ over all parts of a state together."""
    lengths = [torch.linalg.vector_norm(part, dim=-1) for part in vectors]
    whole: Tensor = reduce(torch.hypot, lengths)
    return whole


def _is_safe(length: Tensor) -> bool:
    """Whether the vectors, of `length` (n, …), stayed where float32 has digits; zeros may."""
    within = (length > 1 / _SAFE) & (length < _SAFE)
    return bool((within | (length[0] == 0)).all())


def _normalise(vectors: State) -> tuple[State, Tensor]:
    """Vectors of length one, and the length each had; zero stays zero, NaN stays NaN.

    The largest element is divided out first: squares leave float32's range long before
    the numbers themselves do.
    """
    joined = torch.cat(vectors, -1)
    tiny = torch.finfo(joined.dtype).tiny
    peak = joined.abs().amax(-1, keepdim=True).clamp(min=tiny)
    norm = peak * torch.linalg.vector_norm(joined / peak, dim=-1, keepdim=True)
    length = norm.clamp(min=tiny)
    return tuple(part / length for part in vectors), norm.squeeze(-1)
