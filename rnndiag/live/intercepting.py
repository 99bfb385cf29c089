"""Recurrent modules that run on rnndiag's cells while the user's own code calls them.

For as long as it lasts, the forward methods of torch.nn's recurrent classes hand each call over,
so that the code around them, subclasses and hooks too, stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from rnndiag.cells.linearisation import State
from rnndiag.layers.recurrent import take_memory
from rnndiag.live.contents import CELLS, RECURRENT
from rnndiag.live.describing import Part
from rnndiag.live.sequences import Sequences, as_sequences
from rnndiag.records import LayerSpec
from rnndiag.recurrence.journal import Journal

Forward = Callable[..., Any]
Answer = Callable[[Forward, nn.Module, Any, Any], Any]
"""Takes torch's own method, the module, its input and its initial state."""


@dataclass(frozen=True, kw_only=True)
class Segment:
    """One layer and direction in one call."""

    spec: LayerSpec
    journal: Journal
    padding: Tensor | None
    """(T, B) bool in processing order."""


@dataclass(frozen=True, kw_only=True)
class Use:
    """One call of a recurrent module."""

    module: nn.Module
    segments: tuple[Segment, ...]
    given: tuple[Tensor, ...]
    """The initial state that it was handed, as it was then; empty where none was."""
    left: tuple[Tensor, ...]
    """The state that it gave back; empty where another call cannot go on from it."""
    # Both are out of the network's reach, which can change its own tensors in place.


@contextmanager
def handing_over(answer: Answer) -> Iterator[None]:
    """Let `answer` give what the calls of all recurrent modules give."""
    originals: dict[type[nn.Module], Forward] = {
        kind: kind.forward for kind in (*RECURRENT, *CELLS)
    }

    def bound(original: Forward) -> Forward:
        def forward(module: nn.Module, input: Any, hx: Any = None) -> Any:
            return answer(original, module, input, hx)

        return forward

    try:
        for kind, original in originals.items():
            kind.forward = bound(original)
        yield
    finally:
        for kind, original in originals.items():
            kind.forward = original


class Interceptor:
    """Runs the calls of known modules on their cells, and keeps what each did."""

    def __init__(
        self, known: Mapping[nn.Module, tuple[tuple[Part, ...], ...]], padding: Tensor | None
    ) -> None:
        """`padding` (B, T) is the probe's, followed to inputs of its size."""
        self.uses: list[Use] = []
        self._known = known
        self._padding = padding

    def __call__(self, original: Forward, module: nn.Module, x: Any, hx: Any) -> Any:
        if module not in self._known:
            return original(module, x, hx)
        if isinstance(module, CELLS):
            return self._cell(module, x, hx)
        return self._layers(module, x, hx)

    # ------------------------------------------------------------ calls

    def _cell(self, module: nn.Module, x: Tensor, hx: Any) -> Any:
        """One timestep: (B, I), or (I,) without a batch."""
        ((part,),) = self._known[module]
        given = _states(hx)
        alone = x.dim() == 1
        rows = (x if not alone else x.unsqueeze(0)).unsqueeze(0)
        sequences = Sequences(x=rows, mask=None, restore=lambda h: h)
        states = tuple(state.unsqueeze(0) if alone else state for state in given)
        segment, _, last = self._run(part, sequences, states or None)
        left = tuple(state.squeeze(0) if alone else state for state in last)
        self._keep(module, [segment], given, left)
        return _handed_out(left)

    def _layers(self, module: Any, x: Tensor | PackedSequence, hx: Any) -> Any:
        given = _states(hx)
        sequences = as_sequences(module, x)
        alone = not isinstance(x, PackedSequence) and x.dim() == 2
        states = tuple(state.unsqueeze(1) if alone else state for state in given)
        segments: list[Segment] = []
        lasts: list[State] = []
        for parts in self._known[module]:
            outputs = []
            for part in parts:
                own = tuple(state[len(lasts)] for state in states) or None
                segment, h, last = self._run(part, sequences, own)
                segments.append(segment)
                outputs.append(h)
                lasts.append(last)
            sequences = sequences.followed_by(torch.cat(outputs, -1))
        left = tuple(torch.stack(state) for state in zip(*lasts, strict=True))
        left = tuple(state.squeeze(1) if alone else state for state in left)
        mirrored = any(segment.spec.config.get("go_backwards") for segment in segments)
        self._keep(module, segments, given, () if mirrored else left)
        return sequences.restore(sequences.x), _handed_out(left)

    def _keep(
        self,
        module: nn.Module,
        segments: Sequence[Segment],
        given: tuple[Tensor, ...],
        left: tuple[Tensor, ...],
    ) -> None:
        own = tuple(state.clone() for state in given)
        self.uses.append(Use(module=module, segments=tuple(segments), given=own, left=left))

    # ------------------------------------------------------------ one layer, one direction

    def _run(
        self, part: Part, sequences: Sequences, given: State | None
    ) -> tuple[Segment, Tensor, State]:
        """The segment, its output (T, B, H) in the input's order, and the last states."""
        backwards = bool(part.spec.config.get("go_backwards"))
        turned = sequences.turned() if backwards else sequences
        x, mask = turned.x, turned.mask
        initial = part.cell.zero_state(x.shape[1]) if given is None else given
        take_memory(part.spec, part.cell, initial, x)
        journal = Journal(part.cell, mask)
        # What the network handed over it may write to, and the run is computed again from it.
        own = tuple(part.clone() for part in initial)
        h, *others = journal.run_over(x.clone(), own)
        # A masked step carries the state, so that the last one is each sample's own last.
        last = (h[-1], *others)
        shown = h if mask is None else torch.where(mask.unsqueeze(-1), h, 0.0)
        padding = self._padding_of(x.shape[0], x.shape[1], backwards) if mask is None else None
        segment = Segment(spec=part.spec, journal=journal, padding=padding)
        return segment, shown.flip(0) if backwards else shown, last

    def _padding_of(self, steps: int, batch: int, backwards: bool) -> Tensor | None:
        if self._padding is None or self._padding.shape != (batch, steps):
            return None
        return self._padding.T.flip(0) if backwards else self._padding.T


def _states(hx: Any) -> tuple[Tensor, ...]:
    if hx is None:
        return ()
    return (hx,) if isinstance(hx, Tensor) else tuple(hx)


def _handed_out(left: tuple[Tensor, ...]) -> Any:
    """What the network gets, as torch's modules have it: (h, c), or h alone."""
    copies = tuple(state.clone() for state in left)
    return copies if len(copies) > 1 else copies[0]
