"""Recurrent layers in one direction: what surrounds a cell in Keras's ``RNN`` classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from rnndiag import cells, dialects, memory
from rnndiag.cells.base import Cell
from rnndiag.cells.linearisation import State
from rnndiag.layers import _sizes
from rnndiag.layers.base import CannotRebuild, Entry, Layer, Recorder, Signal, as_float, why_lost
from rnndiag.records import LayerSpec
from rnndiag.recurrence import unrolling
from rnndiag.recurrence.journal import Journal
from rnndiag.recurrence.observing import Observer


def cell_from_spec(spec: LayerSpec) -> Cell:
    """The cell that a layer's or a cell's kind names."""
    found = cells.by_kind().get(spec.kind)
    if found is None or spec.problem is not None:
        raise CannotRebuild(spec.problem or f"{spec.kind} is not a cell that rnndiag knows")
    return found.from_spec(spec)


@dataclass(frozen=True)
class _Feed:
    """What one use of a layer runs on, time-major and in the input's order."""

    x: Tensor
    """(T, B, I), or with images in the place of I."""
    mask: Tensor | None
    """(T, B) bool, which the cells obey."""
    carried: Tensor | None
    """The mask that goes on with the output, as it came."""
    isolated: str | None
    """Why it is not what the network feeds the layer."""
    padding: Tensor | None = None
    """(T, B) bool, where the probe's padding is."""


_BYTES_A_VALUE = 20
"""That a state's value takes: itself, its gradient, and what the layers around make of both."""
_BYTES_ON_THE_WAY_BACK = 12
"""That a gate's value takes while it is kept, its share of the derivatives included."""


def take_memory(spec: LayerSpec, cell: Cell, state: State, x: Tensor) -> None:
    """Raise `TooLarge` where running a cell over `x` (T, B, …) takes more than it may."""
    steps, samples = x.shape[:2]
    values = steps * samples * state[0].shape[-1]
    kept = min(unrolling.KEPT, _BYTES_ON_THE_WAY_BACK * len(cell.gates) * values)
    what = f"running {spec.name!r} over {steps} timesteps of {samples} samples"
    memory.take(_BYTES_A_VALUE * values + kept, what, _sizes.HINT)


class Recurrent(Layer):
    """A cell's own layer, or ``RNN`` of one or several stacked cells; records what it did.

    Stacked cells run one after the other over the whole sequence, which is the same as all of
    them at each step: a masked step leaves every cell's state as it was.
    """

    kinds = (*cells.layer_kinds(), "RNN")
    takes_states = True
    reflipped = False
    """Whether a wrapper turns the output back into the input's order."""

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.specs = spec.inner or (spec,)
        self.cells = nn.ModuleList(cell_from_spec(inner) for inner in self.specs)
        for below, above in pairwise(self._cells()):
            if above.input_size != below.hidden_size:
                raise CannotRebuild("its stacked cells do not fit one on the other")
        config = spec.config
        self.go_backwards = bool(config.get("go_backwards"))
        self.return_sequences = bool(config.get("return_sequences"))
        self.return_state = bool(config.get("return_state"))
        self.time_major = bool(config.get("time_major"))
        self.zero_output_for_mask = bool(config.get("zero_output_for_mask"))
        self.last_cell_first = dialects.puts_last_cell_first(spec.writer)
        self.unrolled = bool(config.get("unroll"))
        self.shows_state = dialects.shows_state_at_masked_steps(spec.writer) and not self.unrolled

    @classmethod
    def variables(cls, config: Mapping[str, Any]) -> tuple[bool, ...]:
        return (True, True, True) if config.get("use_bias", True) else (True, True)

    def run(
        self, inputs: tuple[Signal, ...], initial: tuple[Signal, ...], recorder: Recorder
    ) -> tuple[Signal, ...]:
        feed = self._feed(inputs[0], bool(initial), recorder)
        placed = self._placed(feed.x)
        states, unfit = self._initial(initial, placed, feed.x.shape[1])
        isolated = feed.isolated or unfit
        x = self._turn(feed.x)
        mask = None if feed.mask is None else self._turn(feed.mask)
        padding = None if feed.padding is None else self._turn(feed.padding)
        lasts, sequences = [], []
        for spec, cell, state in zip(self.specs, placed, states, strict=True):
            take_memory(spec, cell, state, x)
            journal = Journal(cell, mask, Observer(cell), recorder.tangent(state))
            x, *last = journal.run_over(x, state)
            lasts.append(tuple(map(cell.shaped, (x[-1], *last))))
            sequences.append(x)
            recorder.add(
                Entry(
                    spec=spec,
                    call=recorder.count(spec),
                    journal=journal,
                    go_backwards=self.go_backwards,
                    reflipped=self.reflipped,
                    padding=padding,
                    isolated=isolated,
                )
            )
        output = placed[-1].shaped(x if mask is None else self._masked(sequences, mask))
        outputs = self._outputs(output, lasts, feed.carried, isolated or self._doubt())
        if padding is not None and self.return_sequences:
            outputs = (replace(outputs[0], padding=padding.T), *outputs[1:])
        return outputs

    def _cells(self) -> Iterator[Cell]:
        for cell in self.cells:
            assert isinstance(cell, Cell)
            yield cell

    def _placed(self, x: Tensor) -> list[Cell]:
        """The cells to run over `x`, which is time-major."""
        lowest, *upper = self._cells()
        return [lowest.over(x), *upper]

    def _turn(self, sequence: Tensor) -> Tensor:
        return sequence.flip(0) if self.go_backwards else sequence

    # ------------------------------------------------------------ what it runs on

    def _feed(self, source: Signal, has_initial: bool, recorder: Recorder) -> _Feed:
        """The input where it is known and fits, noise elsewhere."""
        cell = next(self._cells())
        x, isolated = source.value, source.lost
        if x is None or not cell.takes(x) or not x.numel():
            shape = "no known shape" if x is None else f"shape {tuple(x.shape)}"
            isolated = isolated or f"its input has {shape}, not {cell.wanted}"
            return _Feed(recorder.noise(*cell.step_shape).transpose(0, 1), None, None, isolated)
        obeyed, carried = self._obeyed(source, has_initial), source.handed_on(self.spec.writer)
        for mask in (obeyed, carried):
            if mask is not None and mask.shape != x.shape[:2]:
                isolated = f"its mask has shape {tuple(mask.shape)}, not {tuple(x.shape[:2])}"
                obeyed = carried = None
        if not self.time_major:
            x, obeyed = x.transpose(0, 1), None if obeyed is None else obeyed.T
        padding = None if source.padding is None or self.time_major else source.padding.T
        return _Feed(as_float(x), obeyed, carried, isolated, padding)

    def _obeyed(self, source: Signal, has_initial: bool) -> Tensor | None:
        """The mask that the cells follow; one given by hand always counts."""
        unheard = has_initial and dialects.ignores_mask_beside_states(self.spec.writer)
        return source.told if unheard else source.heeded

    def _initial(
        self, given: tuple[Signal, ...], placed: list[Cell], batch: int
    ) -> tuple[list[State], str | None]:
        """Each cell's first state; zeros with the reason where those given do not do."""
        zeros = [cell.zero_state(batch) for cell in placed]
        values = [placed[0].flattened(as_float(s.value)) for s in given if s.value is not None]
        ordered = zeros[::-1] if self.last_cell_first else zeros
        wanted = [tuple(part.shape) for state in ordered for part in state]
        if not given or [tuple(value.shape) for value in values] != wanted:
            reason = f"its initial state does not have the shapes {wanted}"
            return zeros, (why_lost(given) or reason) if given else None
        each = iter(values)
        states = [tuple(next(each) for _ in state) for state in ordered]
        return states[::-1] if self.last_cell_first else states, why_lost(given)

    # ------------------------------------------------------------ what it gives

    def _masked(self, sequences: list[Tensor], mask: Tensor) -> Tensor:
        """The last cell's output, with what stands at masked steps; `mask` is (T, B)."""
        h, real = sequences[-1], mask.unsqueeze(-1)
        if self.shows_state:
            first = sequences[-1 if self.last_cell_first else 0]
            return torch.where(real, h, first) if first.shape == h.shape else h
        # Before the first real step Keras emits zeros, not the initial state.
        shown = real.cumsum(0) > 0
        if self.zero_output_for_mask:
            # Unrolled, Keras goes by the mask as it came, also where it runs backwards.
            shown = shown & (self._turn(real) if self.unrolled else real)
        return torch.where(shown, h, 0.0)

    def _doubt(self) -> str | None:
        """Why what it gives may not be what the network's own layer gives."""
        customs = [spec.custom for spec in (self.spec, *self.specs) if spec.custom is not None]
        if not customs:
            return None
        return f"{self.spec.name}: {customs[0]} is a custom class, which may give something else"

    def _outputs(
        self, h: Tensor, lasts: list[State], carried: Tensor | None, lost: str | None
    ) -> tuple[Signal, ...]:
        """What Keras returns: the sequence or its end, and the states if asked for."""
        if self.return_sequences:
            # The mask goes on as it came, also where the output runs backwards.
            signals = [Signal(h if self.time_major else h.transpose(0, 1), carried, lost)]
        else:
            signals = [Signal(h[-1], lost=lost)]
        if self.return_state:
            ordered = lasts[::-1] if self.last_cell_first else lasts
            signals += [Signal(part, lost=lost) for state in ordered for part in state]
        return tuple(signals)
