"""Who feeds whom: a network as data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rnndiag.records.checkpoint import Writer
from rnndiag.records.common import Array, Wiring


@dataclass(frozen=True, kw_only=True)
class Ref:
    """The `tensor`-th output of the `call`-th call of a layer."""

    layer: str
    call: int = 0
    tensor: int = 0


@dataclass(frozen=True, kw_only=True)
class LayerSpec:
    """One layer: Keras's name for its kind, its configuration, its arrays by position.

    A state dict's layers are described in the same terms (``nn.Linear`` as ``Dense``);
    only recurrent arrays keep their framework's `packing`, which the cell unpacks.
    """

    name: str
    kind: str
    config: Mapping[str, Any]
    writer: Writer
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """What it was built with, in the words of its own framework: for people, not to run."""
    weights: tuple[Array, ...] = ()
    parameters: tuple[tuple[str, ...], ...] = ()
    """For each of `weights` its name in the file; several where it is stored in pieces."""
    packing: Literal["keras", "torch"] = "keras"
    label: str | None = None
    """The name to show where it differs from `name`: ``lstm`` for ``lstm_l1``."""
    index: int = 0
    """Position in a stack that the framework stores as one module."""
    graph: Graph | None = None
    """The layers of a nested model."""
    inner: tuple[LayerSpec, ...] = ()
    """What a wrapper wraps: forward and backward layer, the distributed layer, the cells."""
    problem: str | None = None
    """Why this layer cannot be rebuilt, if it cannot."""
    custom: str | None = None
    """The custom class that is taken for a `kind` of Keras's own, where it is."""

    def every(self) -> Iterator[LayerSpec]:
        """This layer, after all that it wraps or that its nested model holds."""
        if self.graph is not None:
            yield from self.graph.every()
        for inner in self.inner:
            yield from inner.every()
        yield self


@dataclass(frozen=True, kw_only=True)
class Call:
    """One use of a layer in the graph."""

    layer: str
    index: int = 0
    inputs: tuple[Ref, ...] = ()
    initial_state: tuple[Ref, ...] = ()
    mask: Ref | None = None
    """A mask that the call is given by hand, in the place of the input's own."""


@dataclass(frozen=True, kw_only=True)
class Graph:
    """A network as data; `calls` stand in an order in which they can run."""

    layers: Mapping[str, LayerSpec]
    calls: tuple[Call, ...]
    inputs: tuple[Ref, ...]
    outputs: tuple[Ref, ...]
    beside: tuple[LayerSpec, ...] = ()
    """Layers that the file tells of, but not where they stand; without their arrays."""
    wiring: Wiring = "exact"
    notes: tuple[str, ...] = ()

    def every(self) -> Iterator[LayerSpec]:
        """All layers, those of nested models and wrappers before these themselves."""
        for spec in self.layers.values():
            yield from spec.every()
