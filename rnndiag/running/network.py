"""The network of a graph, rebuilt in torch, and what it did on a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from rnndiag.layers.base import Recorder, Signal, Unknown
from rnndiag.layers.model import Model
from rnndiag.records import Graph, LayerSpec, NotAnalysed, Writer
from rnndiag.recurrence.journal import Ear


@dataclass(frozen=True, kw_only=True)
class Pass:
    """One forward pass: the outputs and every use of a recurrent layer."""

    outputs: tuple[Signal, ...]
    recorder: Recorder

    def send_back(
        self,
        values: Sequence[Tensor],
        cotangents: Sequence[Tensor],
        ears: Sequence[Ear],
    ) -> None:
        """Tell each recurrent layer's ear the total gradients of what comes of the values.

        An ear that nothing reaches is told nothing.
        """
        entries = self.recorder.entries
        if not entries or not all(value.requires_grad for value in values):
            return
        for entry, ear in zip(entries, ears, strict=True):
            entry.journal.listen(ear)
        triggers = [trigger for entry in entries for trigger in entry.journal.triggers]
        # Handed cotangents, torch imports sympy to compare shapes: half a second.
        sent = [(value * own).sum() for value, own in zip(values, cotangents, strict=True)]
        torch.autograd.grad(torch.stack(sent).sum(), triggers, retain_graph=True, allow_unused=True)


class Runnable(Protocol):
    """A network that the probe can be run through, rebuilt or the user's own."""

    @property
    def graph(self) -> Graph: ...
    @property
    def device(self) -> torch.device: ...
    @property
    def not_analysed(self) -> tuple[NotAnalysed, ...]: ...
    @property
    def not_rebuilt(self) -> Mapping[str, str]: ...
    def run(self, inputs: tuple[Signal, ...], recorder: Recorder) -> Pass:
        """Run one batch."""
        ...


class Network:
    """A graph that runs; in evaluation mode, on one device."""

    def __init__(self, graph: Graph, device: torch.device) -> None:
        spec = LayerSpec(
            name="", kind="Model", config={}, writer=Writer(framework="keras"), graph=graph
        )
        self.graph = graph
        self.device = device
        self.model = Model(spec).to(device).eval()

    @property
    def not_analysed(self) -> tuple[NotAnalysed, ...]:
        """Layers that were not rebuilt."""
        return tuple(self.model.not_analysed())

    @property
    def not_rebuilt(self) -> dict[str, str]:
        """Why each of the layers is missing that are not in the network, by name."""
        lost = [layer for layer in self.model.modules() if isinstance(layer, Unknown)]
        return {layer.spec.name: layer.reason for layer in lost}

    def run(self, inputs: tuple[Signal, ...], recorder: Recorder) -> Pass:
        """Run one batch; layers whose input is unknown are fed the recorder's noise."""
        return Pass(outputs=self.model.run(inputs, (), recorder), recorder=recorder)
