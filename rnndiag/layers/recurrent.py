"""Recurrent layers in one direction: what surrounds a cell in Keras's ``RNN`` classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from rnndiag import registry
from rnndiag.cells.base import Cell, State
from rnndiag.layers.base import CannotRebuild, Entry, Layer, Recorder, Signal
from rnndiag.records import Direction, LayerSpec
from rnndiag.recurrence import Journal, Recurrence


def cell_from_spec(spec: LayerSpec) -> Cell:
    """The cell that a layer's or a cell's kind names."""
    found = registry.classes("rnndiag.cells", Cell).get(spec.kind)
    if found is None:
        raise CannotRebuild(f"{spec.kind} is not a cell that rnndiag knows")
    cell: Cell = found.from_spec(spec)  # type: ignore[attr-defined]
    return cell


class Recurrent(Layer):
    """LSTM, GRU or SimpleRNN; records what it did."""

    kinds = ("LSTM", "GRU", "SimpleRNN", "CuDNNLSTM", "CuDNNGRU")
    reflipped = False
    """Whether a wrapper turns the output back into the input's order."""

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.cell = cell_from_spec(spec)
        config = spec.config
        self.go_backwards = bool(config.get("go_backwards"))
        self.return_sequences = bool(config.get("return_sequences"))
        self.return_state = bool(config.get("return_state"))
        self.time_major = bool(config.get("time_major"))
        self.zero_output_for_mask = bool(config.get("zero_output_for_mask"))

    @classmethod
    def variables(cls, config: Mapping[str, Any]) -> tuple[bool, ...]:
        return (True, True, True) if config.get("use_bias", True) else (True, True)

    @property
    def direction(self) -> Direction:
        """The order in which the timesteps are read."""
        return "backward" if self.go_backwards else "forward"

    def forward(self, *values: Tensor) -> Tensor:
        raise NotImplementedError("a recurrent layer runs with a recorder")

    def run(
        self, inputs: tuple[Signal, ...], initial: tuple[Signal, ...], recorder: Recorder
    ) -> tuple[Signal, ...]:
        x, mask = inputs[0].value, inputs[0].mask
        isolated = self._why_isolated(inputs[0], initial)
        if isolated or x is None:
            x, mask, initial = recorder.noise(self.cell.input_size), None, ()
        x = x if self.time_major else x.transpose(0, 1)
        steps = None if mask is None else mask.T
        if self.go_backwards:
            x, steps = x.flip(0), None if steps is None else steps.flip(0)
        journal = Journal(self.cell, steps)
        state = tuple(s.value for s in initial if s.value is not None)
        state = state or self.cell.zero_state(x.shape[1])
        z = self.cell.project(x).requires_grad_()
        sequence, *last = Recurrence.apply(journal, z, *state)
        recorder.add(
            Entry(
                spec=self.spec,
                direction=self.direction,
                call=recorder.count(self.spec),
                journal=journal,
                z=z,
                sequence=sequence,
                last=tuple(last),
                go_backwards=self.go_backwards,
                reflipped=self.reflipped,
                isolated=isolated,
            )
        )
        return self._outputs(sequence, tuple(last), steps)

    def _why_isolated(self, source: Signal, initial: tuple[Signal, ...]) -> str | None:
        """Why noise must stand in for the layer's input; None where it need not."""
        for signal in (source, *initial):
            if signal.value is None:
                return signal.lost or "what feeds it is unknown"
        shape = tuple(source.value.shape) if source.value is not None else ()
        if len(shape) != 3 or shape[-1] != self.cell.input_size:
            return f"its input has shape {shape}, not (batch, timesteps, {self.cell.input_size})"
        return None

    def _outputs(self, h: Tensor, last: State, mask: Tensor | None) -> tuple[Signal, ...]:
        """What Keras returns: the sequence or its end, and the states if asked for."""
        y = h
        if mask is not None and self.zero_output_for_mask:
            y = torch.where(mask.unsqueeze(-1), h, 0.0)
        elif mask is not None:
            # Before the first real step Keras emits zeros, not the initial state.
            y = torch.where(mask.cumsum(0).unsqueeze(-1) > 0, h, 0.0)
        if self.return_sequences:
            output = y if self.time_major else y.transpose(0, 1)
            # Keras hands the mask on as it came, also where the output runs backwards.
            given = mask.flip(0) if mask is not None and self.go_backwards else mask
            signals = [Signal(output, None if given is None else given.T)]
        else:
            signals = [Signal(y[-1])]
        if self.return_state:
            signals += [Signal(h[-1]), *(Signal(state) for state in last)]
        return tuple(signals)
