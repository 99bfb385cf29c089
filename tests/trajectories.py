"""What a run computed, put together from its blocks."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rnndiag.cells.base import Cell, Steps
from rnndiag.cells.linearisation import State
from rnndiag.recurrence.backpropagation import backpropagate
from rnndiag.recurrence.unrolling import Trajectory, join


def before(run: Trajectory) -> State:
    """The state that each step started from, each (T, B, H)."""
    return join(block.steps.before for block in run.blocks())


def after(run: Trajectory) -> State:
    """The state that each step left, carried over masked ones, each (T, B, H)."""
    return join(block.after for block in run.blocks())


def whole(run: Trajectory) -> Steps:
    """All steps as one piece."""
    blocks = [block.steps for block in run.blocks()]
    return Steps(
        z=torch.cat([steps.z for steps in blocks]),
        r=torch.cat([steps.r for steps in blocks]),
        gates=join(steps.gates for steps in blocks),
        before=join(steps.before for steps in blocks),
    )


def steps(cell: Cell, z: Tensor, before: State) -> Steps:
    """Steps that need not follow one another."""
    r = cell.products(z, before)
    return Steps(z=z, r=r, gates=cell.activate(z, r), before=before)


@dataclass(frozen=True, kw_only=True)
class TotalGradients:
    """What arrives at every step of a run, (T, B, H) each; see `Arrival`."""

    states: State
    direct: Tensor
    dz: Tensor
    initial: State


def total_gradients(run: Trajectory, dh: Tensor, last: State) -> TotalGradients:
    """Everything that `backpropagate` finds, in one piece."""
    arrivals = list(backpropagate(run, dh, last))[::-1]
    return TotalGradients(
        states=join(own.states for own in arrivals),
        direct=torch.cat([own.direct for own in arrivals]),
        dz=torch.cat([own.dz for own in arrivals]),
        initial=arrivals[0].before,
    )
