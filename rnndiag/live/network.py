"""The user's own network as one that the probe runs through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from rnndiag.layers.base import Recorder, Signal, follow_padding
from rnndiag.live import chains, checking, outputs
from rnndiag.live.calling import call
from rnndiag.live.describing import Description
from rnndiag.live.intercepting import Interceptor, Use, handing_over
from rnndiag.live.outputs import Output
from rnndiag.records import Graph, NotAnalysed
from rnndiag.running.network import Pass

_NO_GRADIENT = (
    "no gradient leads from the network's outputs to a recurrent layer: does its forward run "
    "under torch.no_grad, or detach what they give?"
)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Which axes are which, as a first look at the network has shown."""

    time_first: bool
    """Whether its sequences are (timesteps, batch, …)."""
    timesteps: int
    batch_axes: Mapping[str, int]
    """Of each output that has the samples apart; others are none."""


@dataclass(kw_only=True)
class LiveNetwork:
    """A module that is run whole; what its recurrent modules do is followed by exact cells."""

    module: nn.Module
    label: str
    graph: Graph
    device: torch.device
    description: Description
    layout: Layout
    not_rebuilt: Mapping[str, str] = field(default_factory=dict)
    not_analysed: tuple[NotAnalysed, ...] = ()

    def run(self, inputs: tuple[Signal, ...], recorder: Recorder) -> Pass:
        """Run one batch, plainly and with its recurrences followed; raises `BadOption`.

        The outputs of both must be the same.
        """
        names = [ref.layer for ref in self.graph.inputs]
        values = {
            name: arranged(signal.value, self.layout)
            for name, signal in zip(names, inputs, strict=True)
            if signal.value is not None
        }
        alone = checking.plain(self.module, values, self.label)
        padded = [signal for signal in inputs if signal.padding is not None]
        padding = padded[0].padding if len(padded) == 1 else None
        uses, found = followed(self.module, self.description, values, self.label, padding)
        self._note(checking.check_same(self.module, values, alone, found, self.label))
        told = chains.record(uses, recorder)
        for note in told.notes:
            self._note(note)
        called = {use.module for use in uses}
        self.not_analysed = (
            *self.description.not_analysed,
            *told.left_out,
            *self.description.uncalled(called),
        )
        kept = [own for own in found if own.name in self.layout.batch_axes]
        if uses and not any(own.value.requires_grad for own in kept):
            self._note(_NO_GRADIENT)
        signals = tuple(_signal(own, self.layout) for own in kept)
        return Pass(outputs=follow_padding(padded, signals), recorder=recorder)

    def _note(self, told: str | None) -> None:
        if told is not None and told not in self.graph.notes:
            self.graph = replace(self.graph, notes=(*self.graph.notes, told))


def followed(
    module: nn.Module,
    description: Description,
    values: Mapping[str, Tensor],
    label: str,
    padding: Tensor | None = None,
    hint: str = "",
) -> tuple[list[Use], list[Output]]:
    """Every call of a recurrent module, run on its cells, and the network's outputs."""
    interceptor = Interceptor(description.recurrent, padding)
    with handing_over(interceptor):
        result = call(module, values, label, hint)
    return interceptor.uses, outputs.flat(result)


def arranged(value: Tensor, layout: Layout) -> Tensor:
    """An input as the network has its axes."""
    timed = value.dim() > 1 and value.shape[1] == layout.timesteps
    return value.transpose(0, 1).contiguous() if layout.time_first and timed else value


def _signal(output: Output, layout: Layout) -> Signal:
    """Batch first."""
    if output.mask is not None:
        return Signal(output.value, output.mask)
    return Signal(output.value.movedim(layout.batch_axes[output.name], 0))
