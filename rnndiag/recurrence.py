"""A cell over time: the states, the total gradients, a pulse, a tangent.

Everything is time-major, (T, B, …), and in processing order. A masked step carries the
state unchanged; it is no step of any gradient either.
"""

from __future__ import annotations

from dataclasses import dataclass
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

    def linearise(self) -> Linearisation:
        """Jacobians of all its steps."""
        return self.cell.linearise(self.z, self.before)


def _select(mask: Tensor | None, t: int, new: State, old: State) -> State:
    """`new` where step t is real, `old` where it is masked."""
    if mask is None:
        return new
    real = mask[t].unsqueeze(-1)
    return tuple(torch.where(real, a, b) for a, b in zip(new, old, strict=True))


def unroll(cell: Cell, z: Tensor, initial: State, mask: Tensor | None) -> Trajectory:
    """Run `cell` over the projected input `z` (T, B, G·H) from the state `initial`."""
    states = [initial]
    for t in range(z.shape[0]):
        states.append(_select(mask, t, cell.step(z[t], states[-1]), states[-1]))
    stacked = tuple(torch.stack(parts) for parts in zip(*states, strict=True))
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
    dz: Tensor
    """Gradient of the input's projection."""
    initial: State
    """Gradient of the state before the first step."""


def total_gradients(run: Trajectory, dh: Tensor, last: State) -> TotalGradients:
    """Backpropagation through time.

    `dh` (T, B, H) is what reaches each h_t directly, `last` what reaches the last state
    beside it (its h part added to dh's last step).
    """
    jacobian = run.linearise()
    steps = run.z.shape[0]
    cotangent = last
    states: list[State] = []
    dzs: list[Tensor] = []
    for t in reversed(range(steps)):
        cotangent = (cotangent[0] + dh[t], *cotangent[1:])
        dz, previous = jacobian.pull(t, cotangent)
        zeros = tuple(torch.zeros_like(part) for part in cotangent)
        states.append(_select(run.mask, t, cotangent, zeros))
        dzs.append(_select(run.mask, t, (dz,), (torch.zeros_like(dz),))[0])
        cotangent = _select(run.mask, t, previous, cotangent)
    stacked = tuple(torch.stack(parts[::-1]) for parts in zip(*states, strict=True))
    return TotalGradients(states=stacked, dz=torch.stack(dzs[::-1]), initial=cotangent)


@dataclass(frozen=True, kw_only=True)
class PulseGradients:
    """The gradient of a loss that touches one step, right at any magnitude.

    The recursion is linear, so it runs on vectors of length one and keeps the logarithm of
    their scale apart: nothing underflows, and no denormal number slows it down.
    """

    log_norm: Tensor
    """(T, P, B) natural logarithm of ‖(δ, γ)‖ in float64; -inf where there is none."""
    first: State
    """The first pulse's (δ, γ), each (T, B, H); they underflow where float32 does."""


def pulse_gradients(run: Trajectory, at: Tensor, cotangents: State) -> PulseGradients:
    """Send pulses, each `cotangents` (P, B, H), back from each sample's step `at` (B,)."""
    jacobian = run.linearise()
    current = tuple(torch.zeros_like(part) for part in cotangents)
    pulses, batch = cotangents[0].shape[:2]
    log_scale = torch.full((pulses, batch), -torch.inf, dtype=torch.float64, device=at.device)
    log_norms: list[Tensor] = []
    first: list[State] = []
    for t in reversed(range(run.z.shape[0])):
        starts = (at == t).view(1, -1, 1)
        current = tuple(torch.where(starts, c, x) for c, x in zip(cotangents, current, strict=True))
        log_scale = torch.where(starts[..., 0], 0.0, log_scale)
        current, log_scale = _normalise(current, log_scale)
        scale = log_scale[0].exp().to(current[0].dtype).unsqueeze(-1)
        real = run.mask is None or run.mask[t]
        log_norms.append(log_scale if run.mask is None else log_scale.where(real, -torch.inf))
        zeros = tuple(torch.zeros_like(x[0]) for x in current)
        first.append(_select(run.mask, t, tuple(x[0] * scale for x in current), zeros))
        _, previous = jacobian.pull(t, current)
        current = _select(run.mask, t, previous, current)
    return PulseGradients(
        log_norm=torch.stack(log_norms[::-1]),
        first=tuple(torch.stack(parts[::-1]) for parts in zip(*first, strict=True)),
    )


def _normalise(vectors: State, log_scale: Tensor) -> tuple[State, Tensor]:
    """Vectors of length one, and the logarithm of what was divided out; zero stays zero."""
    norm = torch.linalg.vector_norm(torch.cat(vectors, -1), dim=-1)
    safe = torch.where(norm > 0, norm, 1.0)
    scaled = tuple(x / safe.unsqueeze(-1) for x in vectors)
    log_norm = torch.where(norm > 0, log_scale + safe.double().log(), -torch.inf)
    return scaled, log_norm


def tangent_growth(run: Trajectory, tangent: State) -> Tensor:
    """(T, B) logarithm of each step's growth of a tangent that starts as `tangent`.

    Its mean along a long trajectory is the top Lyapunov exponent. NaN at masked steps.
    """
    jacobian = run.linearise()
    zero = torch.zeros(tangent[0].shape[0], dtype=torch.float64, device=tangent[0].device)
    tangent, _ = _normalise(tangent, zero)
    growth: list[Tensor] = []
    for t in range(run.z.shape[0]):
        pushed, log_growth = _normalise(jacobian.push(t, tangent), zero)
        if run.mask is not None:
            log_growth = log_growth.where(run.mask[t], torch.nan)
        growth.append(log_growth)
        tangent = _select(run.mask, t, pushed, tangent)
    return torch.stack(growth)


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
        return (run.after[0], *(s[-1].clone() for s in run.after[1:]))

    @staticmethod
    def backward(ctx: Any, dh: Tensor, *last: Tensor) -> tuple[Tensor | None, ...]:
        journal: Journal = ctx.journal
        totals = total_gradients(journal.run, dh, (torch.zeros_like(dh[0]), *last))
        journal.totals = totals
        return (None, totals.dz, *totals.initial)


class Journal:
    """What one use of a recurrent layer leaves behind."""

    run: Trajectory
    totals: TotalGradients | None = None

    def __init__(self, cell: Cell, mask: Tensor | None) -> None:
        self.cell = cell
        self.mask = mask
