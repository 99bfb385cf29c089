"""A cell over time, block by block: the states, and what gradients take to run through them.

Everything is time-major, (T, B, …), and in processing order. A masked step carries the
state unchanged; it is no step of any gradient either.

A run is cut into blocks of some timesteps. What a block computed is kept while there is room,
and computed again from the state that it started from where there is none, so that the memory
for a long sequence is that of its input and its output.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from rnndiag.cells.base import Cell, Steps
from rnndiag.cells.linearisation import Linearisation, State
from rnndiag.recurrence._behind import Behind

BLOCK = 1 << 19
"""Elements of a block's pre-activations, about: few enough for a processor's caches, and steps
enough that what is done once a block costs little."""
GPU_BLOCK = 1 << 23
"""The same where each call costs as much, however little it does: 32 MB an array on a GPU."""
SHORTEST, LONGEST = 4, 256
"""Timesteps of a block, whatever the batch."""
KEPT = 256 << 20
"""Bytes of blocks that one layer keeps for the way back."""
_FEW = 1 << 17
"""Elements of a block's pre-activations of which all is made in a fraction of a millisecond."""


@dataclass(frozen=True, kw_only=True)
class Passage:
    """Some timesteps in a row, as vectors pass through them: tangents forwards, gradients back."""

    start: int
    """The first one's place in the whole run."""
    count: int
    jacobian: Linearisation
    """Of every step."""
    mask: Tensor | None
    """(n, B) bool; None where every step is real."""

    def __len__(self) -> int:
        return self.count

    @property
    def end(self) -> int:
        """The place behind its last step."""
        return self.start + self.count

    def pull(self, t: int, cotangent: State) -> tuple[Tensor, State]:
        """(dL/dz_t, dL/dstate_{t-1}) from dL/dstate_t; a masked step does nothing."""
        dz, previous = self.jacobian.pull(t, cotangent)
        return dz, carry(self.mask, t, previous, cotangent)

    def back(self, t: int, cotangent: State) -> State:
        """The second of what `pull` gives."""
        return self.pull(t, cotangent)[1]

    def push(self, t: int, tangent: State) -> State:
        """The tangent of state_t from that of state_{t-1}; a masked step does nothing."""
        return carry(self.mask, t, self.jacobian.push(t, tangent), tangent)


@dataclass(frozen=True, kw_only=True)
class Block:
    """What a cell did at some timesteps in a row."""

    cell: Cell
    start: int
    """The first one's place in the whole run."""
    steps: Steps
    after: State
    """The state that each step left, carried over masked ones, each (n, B, H)."""
    mask: Tensor | None
    """(n, B) bool; None where every step is real."""

    def passage(self) -> Passage:
        """What gradients need of it, which is less."""
        jacobian = self.cell.linearise(self.steps)
        return Passage(start=self.start, count=len(self.steps.z), jacobian=jacobian, mask=self.mask)


class Watch(Protocol):
    """Sees all of a run while it goes on, piece by piece.

    `see` and `follow` each come in order, and neither waits for the other.
    """

    def see(self, block: Block) -> None:
        """Look at what was done, in the second thread where there is one; the block is not kept."""
        ...

    def follow(self, passage: Passage) -> None:
        """Go over it as a vector does, step by step, in the thread of the run."""
        ...

    def end(self) -> None:
        """Give back what only a run that goes on takes."""
        ...


@dataclass(frozen=True, kw_only=True)
class Trajectory:
    """A cell's run over one batch; enough to recover everything that it computed."""

    cell: Cell
    x: Tensor
    """(T, B, …) its input."""
    mask: Tensor | None
    """(T, B) bool; None where every step is real."""
    h: Tensor
    """(T, B, H) the hidden state that each step left, carried over masked ones."""
    last: State
    """What the last step left, each (B, H)."""
    starts: Sequence[State]
    """The state that each block starts from."""
    kept: Sequence[Passage | None]
    """Of each block; None where it has to be computed again."""

    def __len__(self) -> int:
        return len(self.x)

    @property
    def initial(self) -> State:
        """The state before the first step, each (B, H)."""
        return self.starts[0]

    def passages(self) -> Iterator[Passage]:
        """In processing order."""
        return map(self._passage, range(len(self.kept)))

    def passages_back(self) -> Iterator[Passage]:
        """The latest first."""
        return map(self._passage, reversed(range(len(self.kept))))

    def blocks(self) -> Iterator[Block]:
        """In processing order; all are computed again."""
        return map(self._block, range(len(self.kept)))

    def _passage(self, place: int) -> Passage:
        return self.kept[place] or self._block(place).passage()

    @torch.no_grad()
    def _block(self, place: int) -> Block:
        # Not for speed alone: with gradients torch's kernels round otherwise than in `unroll`.
        start = place * _steps_of(self.cell, self.x)
        return _run_block(self.cell, self.x, self.starts[place], self.mask, start)


@torch.no_grad()
def unroll(
    cell: Cell, x: Tensor, initial: State, mask: Tensor | None, watch: Watch | None = None
) -> Trajectory:
    """Run `cell` over the input `x` (T, B, …) from the state `initial`."""
    h = initial[0].new_empty(len(x), *initial[0].shape)
    states, kept = [initial], _Kept(watch)
    with Behind(x.device) as behind:
        for start in range(0, len(x), _steps_of(cell, x)):
            block = _run_block(cell, x, states[-1], mask, start)
            behind.do(kept.add, block, brief=block.steps.z.numel() < _FEW)
            kept.show()
            h[start : start + len(block.after[0])] = block.after[0]
            states.append(tuple(part[-1].clone() for part in block.after))
    kept.show()
    if watch is not None:
        watch.end()
    *starts, last = states
    return Trajectory(
        cell=cell,
        x=x,
        mask=mask,
        h=h,
        last=last,
        starts=starts or [initial],
        kept=kept.passages,
    )


def _run_block(cell: Cell, x: Tensor, state: State, mask: Tensor | None, start: int) -> Block:
    steps = slice(start, start + _steps_of(cell, x))
    real = None if mask is None else mask[steps]
    z, skips = cell.project(x[steps]), real is not None and not bool(real.all())
    h = None if skips else cell.hidden_states(x[steps], state)
    if h is None:
        done, after = _one_by_one(cell, z, state, real)
    else:
        done, after = _at_once(cell, z, h, state)
    return Block(cell=cell, start=start, steps=done, after=after, mask=real)


def _at_once(cell: Cell, z: Tensor, h: Tensor, state: State) -> tuple[Steps, State]:
    """All that the steps compute, by the hidden states `h` (n, B, H) that each leaves.

    These are used for what comes before a step, and computed anew for what comes after: an
    equation that does not fit the kernel shows in the network's outputs.
    """
    before_h = _before(h, state[0])
    r = cell.products(z, (before_h,))
    gates = cell.activate(z, r)
    after = cell.follow(gates, before_h, state)
    before = (before_h, *map(_before, after[1:], state[1:]))
    return Steps(z=z, r=r, gates=gates, before=before), after


def _one_by_one(cell: Cell, z: Tensor, state: State, real: Tensor | None) -> tuple[Steps, State]:
    """The steps themselves."""
    states, products, activated = [state], [], []
    for t, z_t in enumerate(z.unbind()):
        r = cell.products(z_t, state)
        gates = cell.activate(z_t, r)
        state = carry(real, t, cell.advance(gates, state), state)
        products.append(r)
        activated.append(gates)
        states.append(state)
    stacked = stack(states)
    before, after = tuple(part[:-1] for part in stacked), tuple(part[1:] for part in stacked)
    return Steps(z=z, r=torch.stack(products), gates=stack(activated), before=before), after


def _before(after: Tensor, first: Tensor) -> Tensor:
    """What each step started from, by what each left (n, B, H)."""
    return torch.cat((first.unsqueeze(0), after[:-1]))


def _steps_of(cell: Cell, x: Tensor) -> int:
    """Timesteps of a block of a run over `x` (T, B, …)."""
    width = len(cell.gates) * cell.positions * cell.units
    elements = BLOCK if x.device.type == "cpu" else GPU_BLOCK
    return min(max(elements // max(1, x.shape[1] * width), SHORTEST), LONGEST)


class _Kept:
    """Passages of a run; the early ones go first, as the way back begins with the late ones."""

    def __init__(self, watch: Watch | None) -> None:
        self.passages: list[Passage | None] = []
        self._watch = watch
        self._not_shown: deque[Passage] = deque()
        """Filled by the one thread and emptied by the other, each in one step."""
        self._sizes: deque[int] = deque()
        """Of those that are still there."""
        self._bytes = 0

    @torch.no_grad()
    def add(self, block: Block) -> None:
        """Make what gradients need of the next block, and let it be seen."""
        passage = block.passage()
        self.passages.append(passage)
        self._sizes.append(passage.jacobian.bytes)
        self._bytes += self._sizes[-1]
        while self._bytes > KEPT:
            self.passages[len(self.passages) - len(self._sizes)] = None
            self._bytes -= self._sizes.popleft()
        if self._watch is not None:
            self._not_shown.append(passage)
            self._watch.see(block)

    def show(self) -> None:
        """Let what was made since the last time be followed.

        That takes many small steps, as the run itself does: in two threads they would hold each
        other up.
        """
        while self._watch is not None and self._not_shown:
            self._watch.follow(self._not_shown.popleft())


# ---------------------------------------------------------------- states, part by part


def choose(condition: Tensor, a: State, b: State) -> State:
    """`a` for the samples where `condition` (…, B) holds, `b` for the others."""
    chosen = condition.unsqueeze(-1)
    return tuple(torch.where(chosen, x, y) for x, y in zip(a, b, strict=True))


def carry(mask: Tensor | None, t: int, new: State, old: State) -> State:
    """`new` where step t is real by the `mask` (n, B); where it is masked the step does nothing."""
    return new if mask is None else choose(mask[t], new, old)


def stack(steps: Sequence[State]) -> State:
    """One tensor for each part of the state, (T, …)."""
    return tuple(torch.stack(parts) for parts in zip(*steps, strict=True))


def join(pieces: Iterable[State]) -> State:
    """Each part of the states (n, …), one piece behind the other."""
    return tuple(torch.cat(parts) for parts in zip(*pieces, strict=True))
