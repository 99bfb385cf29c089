"""A live network's layers in the same words as those of a state dict, its weights as they are used.

The recurrent modules of torch.nn are described as `rnndiag.wiring` describes them, so that a
report is the same whichever way the network came.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace

from torch import nn

from rnndiag import wiring
from rnndiag.cells.base import Cell, UnfitWeights
from rnndiag.layers.base import CannotRebuild
from rnndiag.layers.recurrent import cell_from_spec
from rnndiag.live.contents import CELLS, RECURRENT, Contents, contents
from rnndiag.live.loading import Loaded
from rnndiag.records import (
    Checkpoint,
    Graph,
    LayerSpec,
    NotAnalysed,
    Options,
    StateDict,
)


@dataclass(frozen=True, kw_only=True)
class Part:
    """One layer and direction of a recurrent module."""

    spec: LayerSpec
    cell: Cell


@dataclass(frozen=True, kw_only=True)
class Description:
    """What is in a live network."""

    graph: Graph
    """Its layers; who feeds whom is not in it."""
    owners: Mapping[str, nn.Module]
    """The module of each layer, by the layer's name."""
    recurrent: Mapping[nn.Module, tuple[tuple[Part, ...], ...]]
    """Directions within layers of each recurrent module, in torch's order."""
    not_analysed: tuple[NotAnalysed, ...] = ()

    def uncalled(self, called: Container[nn.Module]) -> list[NotAnalysed]:
        """The recurrent modules that are not among the `called`."""
        return [
            _left_out(parts[0][0].spec, "not called in forward")
            for module, parts in self.recurrent.items()
            if module not in called
        ]


def describe(loaded: Loaded, checkpoint: Checkpoint, options: Options) -> Description:
    """The layers of a network that holds the checkpoint's weights."""
    assert isinstance(checkpoint.content, StateDict)
    found = contents(loaded, checkpoint.content)
    graph = wiring.wire(replace(checkpoint, content=found.state), options)
    layers = {name: _stored(spec, found.pieces) for name, spec in graph.layers.items()}
    owners = _owners(loaded, found, (*layers.values(), *graph.beside))
    recurrent: dict[nn.Module, tuple[tuple[Part, ...], ...]] = {}
    left_out: list[NotAnalysed] = []
    for module, specs in _stacks(layers.values(), owners).items():
        try:
            recurrent[module] = tuple(_parts(spec, module) for spec in specs)
        except (CannotRebuild, UnfitWeights) as error:
            left_out.append(_left_out(specs[0], str(error)))
    return Description(
        graph=replace(graph, layers=layers),
        owners=owners,
        recurrent=recurrent,
        not_analysed=tuple(left_out),
    )


def _owners(loaded: Loaded, found: Contents, specs: Iterable[LayerSpec]) -> dict[str, nn.Module]:
    """The module of each layer, by the layer's name."""
    paths = {spec.name: str(spec.arguments.get("module")) for spec in specs}
    return {
        name: loaded.module.get_submodule(found.places[path])
        for name, path in paths.items()
        if path in found.places
    }


def _stacks(
    layers: Iterable[LayerSpec], owners: Mapping[str, nn.Module]
) -> dict[nn.Module, list[LayerSpec]]:
    """The layers of each module that is recurrent, or looks so; the lowest first."""
    stacks: dict[nn.Module, list[LayerSpec]] = {}
    for spec in layers:
        if spec.name in owners and (spec.packing == "torch" or spec.problem is not None):
            stacks.setdefault(owners[spec.name], []).append(spec)
    return stacks


def _left_out(spec: LayerSpec, reason: str) -> NotAnalysed:
    name = spec.label or spec.name
    return NotAnalysed(name=name, kind=spec.kind, reason=f"{name}: {reason}")


def _parts(spec: LayerSpec, module: nn.Module) -> tuple[Part, ...]:
    """The cells of one layer; raises `CannotRebuild` where the module is nobody's but its own."""
    if spec.problem is not None:
        raise CannotRebuild(spec.problem)
    if not isinstance(module, (*RECURRENT, *CELLS)):
        raise CannotRebuild(
            f"its class {type(module).__name__} is the user's own, with equations of its own"
        )
    device = next(module.parameters()).device
    directions = spec.inner or (spec,)
    return tuple(Part(spec=own, cell=cell_from_spec(own).to(device)) for own in directions)


def _stored(spec: LayerSpec, pieces: Mapping[str, tuple[str, ...]]) -> LayerSpec:
    """The layer with the file's names of its weights' pieces."""
    parameters = tuple(
        tuple(piece for name in names for piece in pieces.get(name, (name,)))
        for names in spec.parameters
    )
    inner = tuple(_stored(own, pieces) for own in spec.inner)
    return replace(spec, parameters=parameters, inner=inner)
