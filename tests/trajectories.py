"""What a run computed, put together from its blocks."""

from __future__ import annotations

import torch
from torch import Tensor

from rnndiag.cells.base import Cell, State, Steps
from rnndiag.recurrence import Trajectory, join


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
