"""What a rebuilt layer is, and how one is found by its Keras name.

A layer takes and gives signals: a value with its mask, or the reason why there is none.
Batch first throughout, as in Keras.
"""

from __future__ import annotations

import math
from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from rnndiag import memory, registry
from rnndiag.activations import UnknownActivation
from rnndiag.cells.base import UnfitWeights
from rnndiag.cells.linearisation import State
from rnndiag.convolutions import UnknownGeometry
from rnndiag.dialects import hands_on_the_values_mask
from rnndiag.layers import _sizes
from rnndiag.layers._recurrent_looks import looks_recurrent
from rnndiag.records import Array, LayerSpec, NotAnalysed, Writer
from rnndiag.recurrence.following import Tangent, random_tangent
from rnndiag.recurrence.journal import Journal

Masks = tuple[Tensor | None, ...]


class CannotRebuild(ValueError):
    """The layer's configuration asks for something that is not rebuilt; the message says what."""


@dataclass(frozen=True)
class Signal:
    """A value on its way through the network, or why it is not known."""

    value: Tensor | None
    mask: Tensor | None = None
    """(B, T) bool, false at steps to skip; None where there is no mask."""
    lost: str | None = None
    """Why the true value is not known; a value beside it is a stand-in, mostly made from noise."""
    told: Tensor | None = None
    """A mask that the call is given by hand, in the place of the value's own."""
    padding: Tensor | None = None
    """(B, T) bool, true where the probe's padding is; the network itself knows nothing of it."""

    @property
    def heeded(self) -> Tensor | None:
        """The mask that a layer works with."""
        return self.mask if self.told is None else self.told

    def handed_on(self, writer: Writer) -> Tensor | None:
        """The mask that its output gets."""
        return self.mask if hands_on_the_values_mask(writer) else self.heeded


def follow_padding(inputs: Sequence[Signal], outputs: Sequence[Signal]) -> tuple[Signal, ...]:
    """The outputs with the padding that all inputs share, where timesteps are still the same."""
    paddings = [signal.padding for signal in inputs if signal.padding is not None]
    if len(paddings) < len(inputs) or len({padding.shape for padding in paddings}) != 1:
        return tuple(outputs)
    shared = torch.stack(paddings).all(0)
    return tuple(_padded(signal, shared) for signal in outputs)


def _padded(signal: Signal, padding: Tensor) -> Signal:
    value = signal.value
    if signal.padding is not None or value is None:
        return signal
    fits = value.dim() > 2 and value.shape[:2] == padding.shape
    return replace(signal, padding=padding) if fits else signal


def why_lost(signals: Sequence[Signal]) -> str | None:
    """The first reason why something among the signals is not known."""
    return next((signal.lost for signal in signals if signal.lost is not None), None)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One use of one recurrent layer and direction."""

    spec: LayerSpec
    call: int
    journal: Journal
    go_backwards: bool
    """Whether the input was turned around before it was processed."""
    reflipped: bool
    """Whether the output was turned back after it."""
    padding: Tensor | None
    """(T, B) bool in processing order, where the input's padding could be followed to here."""
    isolated: str | None

    @property
    def real(self) -> Tensor:
        """(T, B) bool in processing order: what the network skips, else the padding, is out."""
        if self.journal.mask is not None:
            return self.journal.mask
        if self.padding is not None:
            return ~self.padding
        h = self.journal.run.h
        return h.new_ones(h.shape[:2], dtype=torch.bool)


@dataclass
class Recorder:
    """Collects what the recurrent layers did while the network ran."""

    generator: torch.Generator
    batch: int
    timesteps: int
    device: torch.device
    tangents: int | None = None
    """The seed of the small differences that are to be followed; None for none."""
    entries: list[Entry] = field(default_factory=list)

    def noise(self, *step: int) -> Tensor:
        """Standard normal input for a layer whose real input cannot be computed."""
        shape = (self.batch, self.timesteps, *step)
        memory.take(4 * math.prod(shape), f"noise of the shape {shape}", _sizes.HINT)
        return torch.randn(shape, generator=self.generator).to(self.device)

    def tangent(self, initial: State) -> Tangent | None:
        """What follows a small difference of the states through a run from `initial`."""
        if self.tangents is None:
            return None
        return Tangent(random_tangent(initial, self.tangents))

    def count(self, spec: LayerSpec) -> int:
        """How often this layer ran so far."""
        return sum(entry.spec is spec for entry in self.entries)

    def add(self, entry: Entry) -> None:
        """Keep what a recurrent layer did."""
        self.entries.append(entry)


class Layer(nn.Module, ABC):
    """One Keras layer, in evaluation mode."""

    kinds: ClassVar[tuple[str, ...]] = ()
    takes_states: ClassVar[bool] = False
    """Whether its calls take initial states behind the input."""
    reads_arguments: ClassVar[bool] = False
    """Whether its configuration holds what its call is given, with a place for each input."""
    takes_masks_away: bool = False
    """Whether its inputs have no masks any more, for whatever reads them after it."""
    keeps_integers: ClassVar[bool] = False
    """Whether it is given integers and truth values as they are, not as real numbers."""

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__()
        self.spec = spec

    @classmethod
    def variables(cls, config: Mapping[str, Any]) -> tuple[bool, ...]:
        """Whether each stored array is trainable, in stored order."""
        return ()

    def forward(self, *values: Tensor) -> Tensor:
        """The output of a layer that needs no more than values; others have their own `run`."""
        raise NotImplementedError(f"{self.spec.kind} runs with a recorder")

    def masked(self, masks: Masks, *values: Tensor) -> Tensor:
        """The output beside masks; by default they do not change it."""
        output: Tensor = self(*values)
        return output

    def mask(self, masks: Masks, *values: Tensor) -> Tensor | None:
        """The output's mask; by default a layer ends it."""
        return None

    def most_bytes(self, *values: Tensor) -> int | None:
        """What a call makes at the most, where the layer can tell without a try."""
        return None

    def run(
        self, inputs: tuple[Signal, ...], initial: tuple[Signal, ...], recorder: Recorder
    ) -> tuple[Signal, ...]:
        """The outputs; lost where an input is lost."""
        lost = why_lost(inputs)
        values = tuple(signal.value for signal in inputs if signal.value is not None)
        if not values or len(values) < len(inputs):
            return (Signal(None, lost=lost or f"what feeds {self.spec.name} is unknown"),)
        if not self.keeps_integers:
            values = tuple(map(as_float, values))
        _sizes.check(self, inputs, values)
        try:
            return self.outputs(inputs, values, lost)
        except (RuntimeError, IndexError, TypeError, ValueError) as error:
            shapes = ", ".join(str(tuple(value.shape)) for value in values)
            reason = f"{self.spec.name}: {self.spec.kind} does not take {shapes} ({error})"
            return (Signal(None, lost=lost or reason),)

    def outputs(
        self, inputs: tuple[Signal, ...], values: tuple[Tensor, ...], lost: str | None
    ) -> tuple[Signal, ...]:
        """The outputs for inputs whose values are all there."""
        output = self.masked(tuple(signal.heeded for signal in inputs), *values)
        masks = tuple(signal.handed_on(self.spec.writer) for signal in inputs)
        return (Signal(output, self.mask(masks, *values), lost),)

    def not_analysed(self) -> list[NotAnalysed]:
        """Recurrent layers within that were found but not rebuilt."""
        return []

    def _keep(self, name: str, array: Array) -> None:
        # Shared where it is float32, so that of a mapped array nothing is read yet; but copied
        # where it stands across the bounds that processors are built for.
        sound = np.require(array, requirements="A")
        self.register_buffer(name, torch.as_tensor(sound, dtype=torch.float32))

    def _keep_or_none(self, name: str, array: Array | None) -> None:
        """None for an array that the layer does without, such as a bias."""
        self.register_buffer(name, None) if array is None else self._keep(name, array)


def as_float(value: Tensor) -> Tensor:
    """Integers as Keras casts them; token ids stay exact up to 2^24."""
    return value if value.is_floating_point() else value.float()


class PassesMask:
    """For layers whose output has the input's mask."""

    def mask(self, masks: Masks, *values: Tensor) -> Tensor | None:
        """The first input's mask."""
        return masks[0]


class Unknown(Layer):
    """A layer that is not rebuilt; everything behind it is lost, with the reason."""

    reason: str = ""

    def forward(self, *values: Tensor) -> Tensor:
        raise NotImplementedError(self.reason)

    def run(
        self, inputs: tuple[Signal, ...], initial: tuple[Signal, ...], recorder: Recorder
    ) -> tuple[Signal, ...]:
        return (Signal(None, lost=self.reason),)

    def not_analysed(self) -> list[NotAnalysed]:
        """The layer, if it may be recurrent: others are missing from no table."""
        if not looks_recurrent(self.spec):
            return []
        return [NotAnalysed(name=self.spec.name, kind=self.spec.kind, reason=self.reason)]


def layer_class(kind: str) -> type[Layer] | None:
    """The class that rebuilds Keras's `kind`, if any does."""
    return registry.classes("rnndiag.layers", Layer).get(kind)


def build(spec: LayerSpec) -> Layer:
    """Rebuild one layer; one that cannot be rebuilt becomes `Unknown` with the reason."""
    found = layer_class(spec.kind)
    reason = spec.problem
    if reason is None and found is not None:
        try:
            return found(spec)
        except (CannotRebuild, UnknownActivation, UnknownGeometry, UnfitWeights) as error:
            reason = str(error)
        except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
            reason = f"its configuration or arrays are not as expected ({error!r})"
    unknown = Unknown(spec)
    unknown.reason = f"{spec.name}: {spec.kind}: {reason or _why_unknown(spec.kind)}"
    return unknown


def _why_unknown(kind: str) -> str:
    if kind == "Lambda":
        return "holds Python code, which is never run"
    if kind.startswith(("ops.", "tf.")):
        return "unsupported operation"
    return "custom or unsupported layer"
