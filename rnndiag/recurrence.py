"""A cell over time: the states, the total gradients, a pulse, a tangent.

Everything is time-major, (T, B, …), and in processing order. A masked step carries the
state unchanged; it is no step of any gradient either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from rnndiag.cells.base import Cell, Linearisation, State


@dataclass(frozen=True, kw_only=True)
class Trajectory:
    """A cell's run over one batch; enough to recover everything it computed."""

    cell: Cell
    z: Tensor
    """(T, B, G·H) the input's projection."""
    before: State
    """The state that each step started from, each (T, B, H)."""
    after: State
    """The state that each step left, carried over masked ones, each (T, B, H)."""
    mask: Tensor | None
    """(T, B) bool; None where every step is real."""

    @cached_property
    def jacobian(self) -> Linearisation:
        """Of every step; kept, because each pulse and each loss goes through it again."""
        return self.cell.linearise(self.z, self.before)


def unroll(cell: Cell, z: Tensor, initial: State, mask: Tensor | None) -> Trajectory:
    """Run `cell` over the projected input `z` (T, B, G·H) from the state `initial`."""
    states = [initial]
    for t in range(len(z)):
        new = cell.step(z[t], states[-1])
        states.append(new if mask is None else _choose(mask[t], new, states[-1]))
    stacked = _stack(states)
    return Trajectory(
        cell=cell,
        z=z,
        before=tuple(s[:-1] for s in stacked),
        after=tuple(s[1:] for s in stacked),
        mask=mask,
    )


@dataclass(frozen=True, kw_only=True)
class TotalGradients:
    """What arrives at each step through every path, (T, B, H) each; zero at masked steps."""

    states: State
    """(δ,) or (δ, γ); γ leaves out the path c_t → h_t of the same step."""
    direct: Tensor
    """The part of δ that comes by way of no later step."""
    dz: Tensor
    """Gradient of the input's projection."""
    initial: State
    """Gradient of the state before the first step."""


def total_gradients(run: Trajectory, dh: Tensor, last: State) -> TotalGradients:
    """Backpropagation through time.

    `dh` (T, B, H) is what reaches each h_t directly, `last` what reaches the last state
    beside it (its h part is added to dh's last step).
    """
    cotangent = last
    states: list[State] = []
    dzs: list[Tensor] = []
    for t in reversed(range(len(run.z))):
        cotangent = (cotangent[0] + dh[t], *cotangent[1:])
        states.append(cotangent)
        dz, previous = run.jacobian.pull(t, cotangent)
        dzs.append(dz)
        cotangent = _carry(run, t, previous, cotangent)
    arrived = torch.cat((dh[:-1], (dh[-1] + last[0]).unsqueeze(0)))
    found = (*_stack(states[::-1]), arrived, torch.stack(dzs[::-1]))
    if run.mask is not None:
        found = _choose(run.mask, found, tuple(map(torch.zeros_like, found)))
    *totals, direct, dz = found
    return TotalGradients(states=tuple(totals), direct=direct, dz=dz, initial=cotangent)


@dataclass(frozen=True, kw_only=True)
class PulseGradients:
    """The gradient of a loss that touches one step, right at any magnitude.

    The recursion is linear, so it runs on vectors of length one and keeps the logarithm of
    their scale apart: nothing underflows, and no denormal number slows it down.
    """

    log_norm: Tensor
    """(T, P, B) natural logarithm of ‖(δ, γ)‖, float64 on the CPU; -inf where there is none."""
    first: State
    """The first pulse's (δ, γ), each (T, B, H); they underflow where float32 does."""


def pulse_gradients(run: Trajectory, at: Tensor, cotangents: State) -> PulseGradients:
    """Send pulses, each `cotangents` (P, B, H), back from each sample's step `at` (B,).

    A sample whose `at` is -1 gets none.
    """
    starts = set(at.tolist())
    current = tuple(torch.zeros_like(part) for part in cotangents)
    norms: list[Tensor] = []
    first: list[State] = []
    for t in reversed(range(len(run.z))):
        if t in starts:
            current = _choose(at == t, cotangents, current)
        current, norm = _normalise(current)
        norms.append(norm)
        first.append(tuple(part[0] for part in current))
        current = _carry(run, t, run.jacobian.pull(t, current)[1], current)
    log_norm = _log_norm(torch.stack(norms[::-1]), at, run.mask)
    scale = log_norm[:, 0].exp().to(current[0])
    directions = _stack(first[::-1])
    return PulseGradients(
        log_norm=log_norm, first=tuple(part * scale.unsqueeze(-1) for part in directions)
    )


def _log_norm(norms: Tensor, at: Tensor, mask: Tensor | None) -> Tensor:
    """Logarithms of the products of the `norms` (T, P, B) from each sample's `at` back."""
    steps = torch.arange(len(norms), device=at.device).unsqueeze(-1)
    under_way = (steps <= at).cpu().unsqueeze(1)
    logs = norms.cpu().double().log().where(under_way, 0.0)
    shown = under_way if mask is None else under_way & mask.cpu().unsqueeze(1)
    return logs.flip(0).cumsum(0).flip(0).where(shown, -torch.inf)


def tangent_growth(run: Trajectory, tangent: State) -> Tensor:
    """(T, B) logarithm of each step's growth of a tangent that starts as `tangent`.

    Its mean along a long trajectory is the top Lyapunov exponent. NaN at masked steps;
    float64, on the CPU.
    """
    tangent, _ = _normalise(tangent)
    norms: list[Tensor] = []
    for t in range(len(run.z)):
        pushed, norm = _normalise(run.jacobian.push(t, tangent))
        norms.append(norm)
        tangent = _carry(run, t, pushed, tangent)
    growth = torch.stack(norms).cpu().double().log()
    return growth if run.mask is None else growth.where(run.mask.cpu(), torch.nan)


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


def _choose(condition: Tensor, a: State, b: State) -> State:
    """`a` for the samples where `condition` (…, B) holds, `b` for the others."""
    chosen = condition.unsqueeze(-1)
    return tuple(torch.where(chosen, x, y) for x, y in zip(a, b, strict=True))


def _carry(run: Trajectory, t: int, new: State, old: State) -> State:
    """`new` where step t is real; where it is masked the step does nothing."""
    return new if run.mask is None else _choose(run.mask[t], new, old)


def _stack(steps: Sequence[State]) -> State:
    """One tensor for each part of the state, (T, …)."""
    return tuple(torch.stack(parts) for parts in zip(*steps, strict=True))


class Recurrence(torch.autograd.Function):
    """`unroll` as one node of an autograd graph, so that a loss reaches through it.

    Its backward pass is `total_gradients`; it hands what it finds to the journal, which is
    how the total gradients get out: a tape shows only what enters and leaves the node.
    """

    @staticmethod
    def forward(ctx: Any, journal: Journal, z: Tensor, *initial: Tensor) -> tuple[Tensor, ...]:
        run = unroll(journal.cell, z.detach(), initial, journal.mask)
        ctx.journal = journal
        journal.run = run
        # A run that held the node's own output would hold itself, and never be freed.
        return (run.after[0].detach(), *(s[-1].clone() for s in run.after[1:]))

    @staticmethod
    def backward(ctx: Any, dh: Tensor, *last: Tensor) -> tuple[Tensor | None, ...]:
        journal: Journal = ctx.journal
        totals = total_gradients(journal.run, dh, (torch.zeros_like(dh[0]), *last))
        journal.totals = totals
        return (None, totals.dz, *totals.initial)


class Journal:
    """What one use of a recurrent layer leaves behind."""

    run: Trajectory

    def __init__(self, cell: Cell, mask: Tensor | None) -> None:
        self.cell = cell
        self.mask = mask
        self.totals: TotalGradients | None = None

    def take_totals(self) -> TotalGradients:
        """What the last backward pass left here; zeros where it did not come by."""
        totals, self.totals = self.totals, None
        if totals is not None:
            return totals
        zeros = tuple(torch.zeros_like(part) for part in self.run.after)
        initial = tuple(part[0] for part in zeros)
        return TotalGradients(
            states=zeros, direct=zeros[0], dz=torch.zeros_like(self.run.z), initial=initial
        )
