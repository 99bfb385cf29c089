"""What became of each array in a file: none is left out, and none counts twice.

The readers tell what is in the file, the graph whose each array is, and the run which layers
were analysed. Names and shapes are all that is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from rnndiag.records import (
    Checkpoint,
    Coverage,
    Direction,
    Graph,
    KerasModel,
    LayerSpec,
    NamedArray,
    ProbeRun,
    Role,
    StateDict,
    StoredArray,
)

_APART = "not run: nothing tells where its layer stands"
_UNTAKEN = "its layer takes no such array"
_UNTOLD = "nothing tells what layer it is of"
_UNTRAINED = (
    (re.compile(r"_(mask|u|v)$"), "_orig"),
    (re.compile(r"(?<=\.)(?P<name>[^.]+)\.\d+\.[^.]+$"), r"\g<name>.original"),
)
"""Masks and singular vectors of a weight, by the ends of their names, and that of the weight:
of the pieces that it is made of, a layer's `parameters` list those that were trained."""


@dataclass(frozen=True, kw_only=True)
class _Use:
    """What an array is to the network."""

    role: Role
    owner: str | None = None
    direction: Direction | None = None
    part: str | None = None
    reason: str | None = None


def account(checkpoint: Checkpoint, graph: Graph, run: ProbeRun) -> tuple[Coverage, ...]:
    """Every array of the file once, in the file's order."""
    content = checkpoint.content
    network = _Network(graph=graph, run=run)
    if isinstance(content, KerasModel):
        uses = _in_keras(content, network)
    else:
        uses = _in_state_dict(content, network)
    return tuple(_covered(stored, uses) for stored in checkpoint.stored or _told(content))


def _covered(stored: StoredArray, uses: Mapping[str, _Use]) -> Coverage:
    found = uses.get(stored.parameter or stored.name) if stored.role is None else None
    if found is None:
        role, reason = stored.role or "not_analysed", stored.reason
        found = _Use(role=role, reason=reason if stored.role else _UNTOLD, owner=_group(stored))
    return Coverage(
        name=stored.name,
        shape=stored.shape,
        role=found.role,
        owner=found.owner,
        direction=found.direction,
        part=found.part,
        reason=found.reason,
    )


def _group(stored: StoredArray) -> str | None:
    """What an array stands in that is of no layer: of what is no weight, the outermost."""
    path = stored.name.replace("/", ".")
    found = path.partition(".")[0] if stored.role else path.rpartition(".")[0]
    return stored.name[: len(found)] if 0 < len(found) < len(path) else None


def _told(content: KerasModel | StateDict) -> Iterator[StoredArray]:
    """What the content alone tells of the file, where its reader tells no more."""
    if isinstance(content, KerasModel):
        for named in _arrays(content):
            for place in _places(named):
                yield StoredArray(name=place, shape=tuple(named.array.shape))
    else:
        for name, shape in content.shapes.items():
            yield StoredArray(name=name, shape=shape)


# ---------------------------------------------------------------- the network


@dataclass(frozen=True, kw_only=True)
class _Network:
    """The layers that were made of the file, and what became of them."""

    graph: Graph
    run: ProbeRun
    missing: dict[str, str] = field(init=False)
    """Why a layer is not in the network, by name."""
    beside: frozenset[int] = field(init=False)
    """The identities of the layers of which nothing tells where they stand."""
    analysed: dict[tuple[str, str], list[tuple[frozenset[str], _Use]]] = field(init=False)
    """By layer and by the name of one array: all arrays of its part, and what they are."""

    def __post_init__(self) -> None:
        known = {item.name: item.reason for item in self.run.not_analysed}
        object.__setattr__(self, "missing", {**self.run.not_rebuilt, **known})
        object.__setattr__(self, "beside", frozenset(map(id, self.graph.beside)))
        object.__setattr__(self, "analysed", _analysed(self.run))

    def layers(self) -> Iterator[LayerSpec]:
        """All layers: what a wrapper wraps, or a nested model holds, before itself."""
        yield from self.graph.every()
        yield from self.graph.beside

    def use(self, spec: LayerSpec, names: tuple[str, ...]) -> _Use:
        """What those arrays of a layer are that the file calls by these names."""
        for own, use in self.analysed.get((spec.name, names[0]), ()) if names else ():
            if own.issuperset(names):
                return use
        reason = self.why_missing(spec)
        if reason is not None:
            return _Use(role="not_analysed", owner=spec.name, reason=reason)
        reason = _APART if id(spec) in self.beside else None
        return _Use(role="surrounding", owner=spec.name, reason=reason)

    def why_missing(self, spec: LayerSpec) -> str | None:
        """Why a layer is not in the network; None where it is."""
        reason = self.missing.get(spec.name) or spec.problem
        if reason is None and spec.graph is not None:
            inner = (self.why_missing(own) for own in spec.graph.layers.values())
            reason = next((why for why in inner if why is not None), None)
        return None if reason is None else reason.removeprefix(f"{spec.name}: ")


def _analysed(run: ProbeRun) -> dict[tuple[str, str], list[tuple[frozenset[str], _Use]]]:
    """The parts of the layers that were analysed, as `_Network` keeps them."""
    found: dict[tuple[str, str], list[tuple[frozenset[str], _Use]]] = {}
    for layer in run.layers:
        for part, names in layer.parameters.items():
            use = _Use(role="analysed", owner=layer.id, direction=layer.direction, part=part)
            for name in names:
                found.setdefault((layer.id, name), []).append((frozenset(names), use))
    return found


# ---------------------------------------------------------------- Keras


def _in_keras(model: KerasModel, network: _Network) -> dict[str, _Use]:
    """By place. Names are not unique there, so that an array itself tells which it is."""
    places = {id(named.array): _places(named) for named in _arrays(model)}
    uses: dict[str, _Use] = {}
    for spec in network.layers():
        for array, names in zip(spec.weights, spec.parameters, strict=False):
            for place in places.get(id(array), ()):
                uses.setdefault(place, network.use(spec, names))
    for layer, arrays in model.weights.items():
        rest = _untaken(layer, network)
        uses |= {p: rest for named in arrays for p in _places(named) if p not in uses}
    return uses


def _untaken(layer: str, network: _Network) -> _Use:
    """What the arrays are that a layer has in the file, and not in the network."""
    spec = network.graph.layers.get(layer)
    if spec is None:
        return _Use(role="surrounding", owner=layer, reason=_APART)
    reason = network.why_missing(spec) or _UNTAKEN
    return _Use(role="not_analysed", owner=layer, reason=reason)


def _arrays(model: KerasModel) -> Iterator[NamedArray]:
    for arrays in model.weights.values():
        yield from arrays


def _places(named: NamedArray) -> tuple[str, ...]:
    return named.places or (named.name,)


# ---------------------------------------------------------------- PyTorch


def _in_state_dict(content: StateDict, network: _Network) -> dict[str, _Use]:
    """By name."""
    uses: dict[str, _Use] = {}
    modules: dict[str, LayerSpec] = {}
    for spec in network.layers():
        if "module" in spec.arguments:
            modules.setdefault(str(spec.arguments["module"]), spec)
        for names in spec.parameters:
            for name in names:
                uses.setdefault(name, network.use(spec, names))
    for name in [name for name in content.shapes if name not in uses]:
        wholes = (end.sub(other, name) for end, other in _UNTRAINED if end.search(name))
        beside = next((uses[own] for own in wholes if own in uses), None)
        found = beside or _in_module(name, modules, network)
        if found is not None:
            uses[name] = found
    return uses


def _in_module(name: str, modules: Mapping[str, LayerSpec], network: _Network) -> _Use | None:
    """What a tensor is that stands in a known module, which does not take it."""
    path = name.rpartition(".")[0]
    own = modules.get(path)
    if own is not None:
        why = network.why_missing(own) or _UNTAKEN
        return _Use(role="not_analysed", owner=own.name, reason=why)
    while path:
        # A module that is not understood may have others within.
        path = path.rpartition(".")[0]
        spec = modules.get(path) if path else None
        reason = None if spec is None else network.why_missing(spec)
        if spec is not None and reason is not None:
            return _Use(role="not_analysed", owner=spec.name, reason=reason)
    return None
