"""The recurrent modules of a state dict, told by the pairs of names that torch.nn gives."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rnndiag.records import Array

_HH = re.compile(r"(?P<prefix>(.*\.)?)weight_hh(?P<rest>.*)")
_SUFFIX = re.compile(r"(_l\d+(_reverse)?)?")
_KINDS = {4: "LSTM", 3: "GRU", 1: "SimpleRNN"}
"""By the rows of weight_hh for each unit."""


class _Strange(ValueError):
    """The tensors are not those of a module of torch.nn; the message says why."""


@dataclass(frozen=True, kw_only=True)
class RecurrentModule:
    """nn.LSTM, nn.GRU, nn.RNN or one of their cells."""

    path: str
    """Where it stands in the network; empty where it is the network."""
    kind: str = "RNN"
    layers: tuple[tuple[tuple[str, ...], ...], ...] = ()
    """The names of the arrays, in torch's order, of each layer and direction."""
    input_size: int = 0
    output_size: int = 0
    """Features that leave it, those of both directions together."""
    is_cell: bool = False
    problem: str | None = None
    """Why it cannot be rebuilt, if it cannot."""

    @property
    def names(self) -> tuple[str, ...]:
        """Every tensor that belongs to it."""
        return tuple(name for layer in self.layers for arrays in layer for name in arrays)


def find(tensors: Mapping[str, Array]) -> tuple[RecurrentModule, ...]:
    """The recurrent modules in the order in which the state dict names them."""
    rests: dict[str, list[str]] = {}
    for name in tensors:
        if found := _HH.fullmatch(name):
            prefix = found["prefix"].removesuffix("parametrizations.")
            rests.setdefault(prefix, []).append(found["rest"])
    return tuple(_module(prefix, own, tensors) for prefix, own in rests.items())


def _module(prefix: str, rests: Sequence[str], tensors: Mapping[str, Array]) -> RecurrentModule:
    path = prefix.removesuffix(".")
    try:
        layers = tuple(
            tuple(_arrays(prefix, suffix, tensors) for suffix in layer) for layer in _layers(rests)
        )
        kinds = {_kind(arrays, tensors) for layer in layers for arrays in layer}
        if len(kinds) > 1:
            raise _Strange(f"its layers are of several kinds: {', '.join(sorted(kinds))}")
        is_cell = rests[0] == ""
        if is_cell:
            _check_plain(prefix, layers[0][0], tensors)
    except _Strange as strange:
        return RecurrentModule(path=path, problem=str(strange))
    first, last = layers[0][0], layers[-1][0]
    return RecurrentModule(
        path=path,
        kind=kinds.pop(),
        layers=layers,
        input_size=tensors[first[0]].shape[1],
        output_size=len(layers[-1]) * tensors[last[1]].shape[1],
        is_cell=is_cell,
    )


def _layers(rests: Sequence[str]) -> list[list[str]]:
    """The suffixes of each layer's names, forward before backward."""
    for rest in rests:
        if not _SUFFIX.fullmatch(rest):
            raise _Strange(f"weight_hh{rest} is stored in a way that rnndiag does not know")
    if list(rests) == [""]:
        return [[""]]
    layers = [[f"_l{k}"] for k in range(sum(not rest.endswith("_reverse") for rest in rests))]
    for layer in layers:
        if f"{layer[0]}_reverse" in rests:
            layer.append(f"{layer[0]}_reverse")
    missing = {suffix for layer in layers for suffix in layer}.symmetric_difference(rests)
    if missing or len({len(layer) for layer in layers}) > 1:
        raise _Strange(f"its layers or directions are not complete: {', '.join(rests)}")
    return layers


def _arrays(prefix: str, suffix: str, tensors: Mapping[str, Array]) -> tuple[str, ...]:
    """The names of one direction's arrays; biases and projection where they are there."""
    wanted = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
    names = {name: f"{prefix}{name}{suffix}" for name in wanted}
    there = {name: full for name, full in names.items() if full in tensors}
    if "weight_ih" not in there:
        raise _Strange(f"{names['weight_hh']} stands without {names['weight_ih']}")
    if ("bias_ih" in there) != ("bias_hh" in there):
        raise _Strange(f"of {names['bias_ih']} and {names['bias_hh']} one is missing")
    return tuple(there.values())


def _kind(names: Sequence[str], tensors: Mapping[str, Array]) -> str:
    """LSTM, GRU or SimpleRNN by the shapes."""
    shapes = [tensors[name].shape for name in names]
    ih, hh, *rest = shapes
    # Biases come as a pair, so an odd one is the projection.
    projection = rest.pop() if len(rest) % 2 else None
    matrices = [ih, hh] if projection is None else [ih, hh, projection]
    if all(len(shape) == 2 for shape in matrices):
        carried, units = projection or (hh[1], hh[1])
        gates = hh[0] // max(units, 1)
        fits = hh == (gates * units, carried) and ih[0] == hh[0] and {hh[:1], *rest} == {hh[:1]}
        if fits and gates in (_KINDS if projection is None else [4]):
            return _KINDS[gates]
    raise _Strange(
        f"the shapes of {names[0]} {ih} and {names[1]} {hh} are no LSTM's, GRU's or RNN's"
    )


def _check_plain(prefix: str, names: Sequence[str], tensors: Mapping[str, Array]) -> None:
    """Raise for a cell with further weights: its equations are its author's own."""
    further = [name for name in tensors if name.startswith(prefix) and name not in names]
    if prefix and further:
        raise _Strange(f"a custom cell, which also holds {', '.join(further[:3])}")
