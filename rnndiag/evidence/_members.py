"""One checkpoint of a series: the norms of its layers, and how far training had come.

No probe is run. The cells are rebuilt as for one, so that the arrays measured are the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from rnndiag.errors import BadOption
from rnndiag.records import Array, Checkpoint, LayerWeights, Options, Shape

CLOCKS = ("epoch", "global_step", "step", "optimizer_step")
"""Training facts that count how far training had come."""
_OWN_SOURCES = ("checkpoint",)
"""Where the first three of them stand; among settings the same words mean other things."""

Layout = frozenset[tuple[str, Shape, Shape]]
"""The recurrent layers of a network, and the shapes of their kernels."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Norms of one layer and direction in one checkpoint; None where not finite."""

    shapes: tuple[Shape, Shape]
    kernel: float | None
    recurrent: float | None
    bias: float | None
    has_bias: bool


@dataclass(frozen=True, kw_only=True)
class Member:
    """One checkpoint of the series."""

    path: Path
    clocks: Mapping[str, float]
    layers: Mapping[str, Sizes]

    @property
    def layout(self) -> Layout:
        return frozenset((name, *sizes.shapes) for name, sizes in self.layers.items())


def read_member(path: Path, options: Options) -> Member:
    """One checkpoint's norms; raises `RnndiagError`."""
    from rnndiag import checkpoints, memory

    with memory.bounded(options.max_memory, str(path)):
        checkpoint = checkpoints.read(path, options.architecture)
        layers = {name: _sizes(weights) for name, weights in _weights(checkpoint, options)}
    if not layers:
        raise BadOption(f"{path}: no recurrent layer that can be rebuilt")
    return Member(path=path, clocks=dict(_clocks(checkpoint)), layers=layers)


def _weights(checkpoint: Checkpoint, options: Options) -> Iterator[tuple[str, LayerWeights]]:
    """The weights of each recurrent layer and direction."""
    import torch

    from rnndiag import wiring
    from rnndiag.cells.base import Cell
    from rnndiag.layers.recurrent import Recurrent
    from rnndiag.running.network import Network

    network = Network(wiring.wire(checkpoint, options), torch.device("cpu"))
    for module in network.model.modules():
        if isinstance(module, Recurrent):
            direction = "backward" if module.go_backwards else "forward"
            for spec, cell in zip(module.specs, module.cells, strict=True):
                assert isinstance(cell, Cell)
                yield f"{spec.name}/{direction}", cell.stored()


def _sizes(weights: LayerWeights) -> Sizes:
    from rnndiag.measurements.weight_norms import frobenius_norms

    kernel, recurrent, bias = map(_finite, frobenius_norms(weights))
    return Sizes(
        shapes=(_shape(weights.kernel), _shape(weights.recurrent_kernel)),
        kernel=kernel,
        recurrent=recurrent,
        bias=bias,
        has_bias=weights.bias is not None,
    )


def _shape(array: Array) -> Shape:
    return tuple(array.shape)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _clocks(checkpoint: Checkpoint) -> Iterator[tuple[str, float]]:
    """How far training had come, by each fact that tells."""
    for fact in checkpoint.training:
        own = fact.name == "optimizer_step" or fact.source in _OWN_SOURCES
        number = isinstance(fact.value, (int, float)) and not isinstance(fact.value, bool)
        if fact.name in CLOCKS and own and number and math.isfinite(fact.value):
            yield fact.name, float(fact.value)
