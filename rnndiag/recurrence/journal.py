"""A recurrence as one node of an autograd graph, and what each use of a layer leaves behind."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

from rnndiag.cells.base import Cell
from rnndiag.cells.linearisation import State
from rnndiag.recurrence.backpropagation import Arrival, backpropagate
from rnndiag.recurrence.following import Tangent
from rnndiag.recurrence.observing import Observer
from rnndiag.recurrence.unrolling import Block, Passage, Trajectory, unroll


class Ear(Protocol):
    """Hears what arrives at a sequence's steps while a gradient is sent back through it."""

    @property
    def until(self) -> int:
        """The earliest step that it wants to hear of."""
        ...

    def hear(self, arrival: Arrival, offset: int) -> None:
        """Each step once, the latest first; `offset` steps stand before the arrival's run."""
        ...


class Journal:
    """What one use of a recurrent layer leaves behind."""

    run: Trajectory
    ear: Ear | None = None
    """Who is told what arrives."""

    def __init__(
        self,
        cell: Cell,
        mask: Tensor | None,
        observer: Observer | None = None,
        tangent: Tangent | None = None,
    ) -> None:
        """`observer` and `tangent` are there to see the run; what they do not is done after it."""
        self.cell = cell
        self.mask = mask
        self.observer = observer
        self.tangent = tangent
        self.trigger = torch.zeros((), device=cell.kernel.device, requires_grad=True)
        """What a gradient is asked for, so that it comes by here; it gets none itself."""

    def run_over(self, x: Tensor, initial: State) -> State:
        """(h, further last states…) of the cell's run over `x` (T, B, …), in autograd's graph."""
        outputs: State = Recurrence.apply(self, self.trigger, x, *initial)  # type: ignore[no-untyped-call]
        return outputs

    def see(self, block: Block) -> None:
        """Show a piece of the run to the observer."""
        if self.observer is not None:
            self.observer.see(block)

    def follow(self, passage: Passage) -> None:
        """Lead the tangent over it."""
        if self.tangent is not None:
            self.tangent.see(passage)

    def end(self) -> None:
        """Nothing more is shown."""
        if self.observer is not None:
            self.observer.rest()

    @property
    def triggers(self) -> tuple[Tensor, ...]:
        """Of all nodes that the sequence ran through."""
        return (self.trigger,)

    def listen(self, ear: Ear) -> None:
        """Tell `ear` what arrives from now on."""
        self.ear = ear

    def tell(self, arrival: Arrival) -> None:
        """Pass on what arrives."""
        if self.ear is not None:
            self.ear.hear(arrival, 0)

    @property
    def until(self) -> int:
        """The earliest step that anybody wants to hear of."""
        return 0 if self.ear is None else self.ear.until


class Recurrence(torch.autograd.Function):
    """`unroll` as one node of an autograd graph, so that a loss reaches through it.

    Its backward pass is `backpropagate`; it tells the journal what it finds, which is how the
    total gradients get out: a tape shows only what enters and leaves the node.
    """

    @staticmethod
    def forward(
        ctx: Any, journal: Journal, trigger: Tensor, x: Tensor, *initial: Tensor
    ) -> tuple[Tensor, ...]:
        start = tuple(part.detach() for part in initial)
        run = unroll(journal.cell, x.detach(), start, journal.mask, journal)
        ctx.journal = journal
        journal.run = run
        # A run that held the node's own output would hold itself, and never be freed.
        return (run.h.detach(), *(part.clone() for part in run.last[1:]))

    @staticmethod
    def backward(ctx: Any, dh: Tensor, *last: Tensor) -> tuple[Tensor | None, ...]:
        journal: Journal = ctx.journal
        _, _, wanted, *others = ctx.needs_input_grad
        run, dx = journal.run, []
        # Where nobody asks for what is before the run, its earliest steps may not matter either.
        until = 0 if wanted or any(others) else journal.until
        for arrival in backpropagate(run, dh, (torch.zeros_like(dh[0]), *last), until):
            journal.tell(arrival)
            if wanted:
                x = run.x[arrival.start : arrival.start + len(arrival)]
                dx.append(journal.cell.unproject(x, arrival.dz))
        return None, None, torch.cat(dx[::-1]) if wanted else None, *arrival.before
