"""The recurrent modules of a state dict, told by the pairs of names that torch.nn gives."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from rnndiag import cells
from rnndiag.cells.base import Cell, InTorch
from rnndiag.records import Shape
from rnndiag.wiring import _state_dict_compose as compose
from rnndiag.wiring import _state_dict_foreign as foreign
from rnndiag.wiring._state_dict_names import LONGEST, NameIndex, parent

_HH = re.compile(r"(?P<prefix>(.*\.)?)weight_hh(?P<rest>.*)")
_SUFFIX = re.compile(r"(_l\d+(_reverse)?)?")


class _Strange(ValueError):
    """The tensors are not those of a module of torch.nn; the message says why."""

    def __init__(self, why: str, kind: str | None = None) -> None:
        super().__init__(why)
        self.kind = kind


@dataclass(frozen=True, kw_only=True)
class RecurrentModule:
    """nn.LSTM, nn.GRU, nn.RNN or one of their cells."""

    path: str
    """Where it stands in the network; empty where it is the network."""
    cell: type[Cell] | None = None
    """What it runs; None where that is not known."""
    layers: tuple[tuple[tuple[str, ...], ...], ...] = ()
    """The names of the arrays, in torch's order, of each layer and direction."""
    input_size: int = 0
    hidden_size: int = 0
    """Units; with a projection, fewer features leave them."""
    output_size: int = 0
    """Features that leave it, those of both directions together."""
    is_cell: bool = False
    problem: str | None = None
    """Why it cannot be rebuilt, if it cannot."""
    told: str | None = None
    """What it is called where torch.nn has no such thing."""

    @property
    def kind(self) -> str:
        """Keras's name for it, or its author's."""
        return self.cell.kinds[0] if self.cell else self.told or self.in_torch.name

    @property
    def in_torch(self) -> InTorch:
        """What torch.nn calls it, whose most general name is RNN."""
        return (self.cell and self.cell.in_torch) or InTorch(name="RNN")

    @property
    def arguments(self) -> dict[str, Any]:
        """What its class takes, as far as the tensors tell, and where it stands: ``module``."""
        if self.problem:
            return {"module": self.path}
        arrays = self.layers[0][0]
        told = {
            "class_name": self.in_torch.name + ("Cell" if self.is_cell else ""),
            "input_size": self.input_size,
            "hidden_size": self.hidden_size,
            "bias": len(arrays) > 3,
            "module": self.path,
        }
        if self.is_cell:
            return told
        directions = len(self.layers[0])
        told |= {"num_layers": len(self.layers), "bidirectional": directions > 1}
        # Two matrices, and two biases or none: one array more is the projection.
        projection = {"proj_size": self.output_size // directions} if len(arrays) % 2 else {}
        return {**told, **projection}

    @property
    def names(self) -> tuple[str, ...]:
        """Every tensor that belongs to it."""
        return tuple(name for layer in self.layers for arrays in layer for name in arrays)


def torch_names() -> list[str]:
    """The classes of torch.nn that can be found."""
    known = [cell.in_torch for cell in cells.by_torch_gates().values()]
    return [own.name for own in known if own]


def find(
    shapes: Mapping[str, Shape], unread: Mapping[str, str] = MappingProxyType({})
) -> tuple[RecurrentModule, ...]:
    """The recurrent modules in the order in which the state dict names them.

    Those that torch.nn does not have come last, behind those whose tensors are `unread`.
    """
    modules = [*_in_torch_nn(shapes)]
    found = {module.path for module in modules}
    packed = {name.rpartition(".")[0]: (name, why) for name, why in unread.items()}
    for path, (name, why) in packed.items():
        if path not in found:
            modules.append(RecurrentModule(path=path, problem=f"{name}: {why}"))
    others = foreign.find(shapes, [module.path for module in modules])
    named = (RecurrentModule(path=own.path, problem=own.why, told=own.kind) for own in others)
    return (*modules, *named)


def _in_torch_nn(shapes: Mapping[str, Shape]) -> Iterator[RecurrentModule]:
    """Those that are named as torch.nn's, whether or not they are."""
    rests: dict[str, list[str]] = {}
    for name in shapes:
        if len(name) <= LONGEST and (found := _HH.fullmatch(name)):
            prefix = found["prefix"].removesuffix("parametrizations.")
            rests.setdefault(prefix, []).append(found["rest"])
    paths = {prefix.removesuffix(".") for prefix in rests}
    stored = _Stored(shapes, NameIndex(shapes, {*paths, *map(parent, paths)}))
    for prefix, own in rests.items():
        yield _module(prefix, own, stored)


class _Stored:
    """The tensors' shapes, and their names by module."""

    def __init__(self, shapes: Mapping[str, Shape], names: NameIndex) -> None:
        self.shapes = shapes
        self.below = names.below
        self.of_cells = cache(lambda path: foreign.of_cells(path, names.below(path)))


def _module(prefix: str, rests: Sequence[str], stored: _Stored) -> RecurrentModule:
    path, shapes = prefix.removesuffix("."), stored.shapes
    try:
        layers = tuple(
            tuple(_arrays(prefix, suffix, stored) for suffix in layer) for layer in _layers(rests)
        )
        found = {_cell(arrays, shapes) for layer in layers for arrays in layer}
        if len(found) > 1:
            kinds = sorted(cell.kinds[0] for cell in found)
            raise _Strange(f"its layers are of several kinds: {', '.join(kinds)}")
        is_cell = rests[0] == ""
        _check_plain(path, layers, stored, is_cell=is_cell)
    except _Strange as strange:
        return RecurrentModule(path=path, problem=str(strange), told=strange.kind)
    first, last = layers[0][0], layers[-1][0]
    cell = found.pop()
    return RecurrentModule(
        path=path,
        cell=cell,
        layers=layers,
        input_size=shapes[first[0]][1],
        hidden_size=shapes[first[0]][0] // len(cell.gates),
        output_size=len(layers[-1]) * shapes[last[1]][1],
        is_cell=is_cell,
    )


def _layers(rests: Sequence[str]) -> list[list[str]]:
    """The suffixes of each layer's names, forward before backward."""
    for rest in rests:
        if not _SUFFIX.fullmatch(rest):
            raise _Strange(_unknown_storage(rest, rests))
    if list(rests) == [""]:
        return [[""]]
    layers = [[f"_l{k}"] for k in range(sum(not rest.endswith("_reverse") for rest in rests))]
    known = frozenset(rests)
    for layer in layers:
        if f"{layer[0]}_reverse" in known:
            layer.append(f"{layer[0]}_reverse")
    missing = {suffix for layer in layers for suffix in layer}.symmetric_difference(known)
    if missing or len({len(layer) for layer in layers}) > 1:
        raise _Strange(f"its layers or directions are not complete: {', '.join(rests)}")
    return layers


def _arrays(prefix: str, suffix: str, stored: _Stored) -> tuple[str, ...]:
    """The names of one direction's arrays; biases and projection where they are there."""
    wanted = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
    names = {name: f"{prefix}{name}{suffix}" for name in wanted}
    there = {name: full for name, full in names.items() if full in stored.shapes}
    if "weight_ih" not in there:
        pieces = f"{prefix}parametrizations.weight_ih{suffix}."
        below = stored.below(prefix.removesuffix("."))
        parts = [name.removeprefix(pieces) for name in below if name.startswith(pieces)]
        if parts:
            raise _Strange(compose.why_not_undone(names["weight_ih"], parts))
        raise _Strange(f"{names['weight_hh']} stands without {names['weight_ih']}")
    vector = len(stored.shapes[names["weight_hh"]]) == 1
    if not vector and ("bias_ih" in there) != ("bias_hh" in there):
        raise _Strange(f"of {names['bias_ih']} and {names['bias_hh']} one is missing")
    return tuple(there.values())


def _cell(names: Sequence[str], shapes: Mapping[str, Shape]) -> type[Cell]:
    """The cell of torch.nn that has arrays of these shapes."""
    ih, hh, *rest = (shapes[name] for name in names)
    if len(hh) == 1 and ih[:1] == hh:
        raise _Strange(f"{names[1]} is a vector: each unit sees only itself", "IndRNN")
    # Biases come as a pair, so an odd one is the projection.
    projection = rest.pop() if len(rest) % 2 else None
    matrices = [ih, hh] if projection is None else [ih, hh, projection]
    if all(len(shape) == 2 for shape in matrices):
        carried, units = projection or (hh[1], hh[1])
        gates = hh[0] // max(units, 1)
        fits = hh == (gates * units, carried) and ih[0] == hh[0] and {hh[:1], *rest} == {hh[:1]}
        cell = cells.by_torch_gates().get(gates) if fits else None
        if cell and cell.in_torch and (projection is None or cell.in_torch.projects):
            return cell
    *most, last = (f"{name}'s" for name in torch_names())
    raise _Strange(
        f"the shapes of {names[0]} {ih} and {names[1]} {hh} are no {', '.join(most)} or {last}"
    )


def _check_plain(
    path: str,
    layers: Sequence[Sequence[Sequence[str]]],
    stored: _Stored,
    *,
    is_cell: bool,
) -> None:
    """Raise for a module with further weights that change its equations."""
    altered = foreign.alteration(path)
    if altered:
        raise _Strange(f"told by its name {path}; its equations are not torch.nn's", altered)
    own = {name for layer in layers for arrays in layer for name in arrays}
    further = [name for name in stored.below(path) if name not in own]
    if not is_cell:
        # A stack runs in one call, so that only what is in it can change its steps.
        further = foreign.within(further)
    elif not further:
        further = stored.of_cells(parent(path))
    if further:
        what = "cell" if is_cell else "subclass"
        raise _Strange(f"a custom {what}, which also holds {', '.join(further[:3])}")


def _unknown_storage(rest: str, rests: Sequence[str]) -> str:
    """Why a recurrent weight was not put together from its pieces."""
    suffix = rest.partition(".")[0]
    if not _SUFFIX.fullmatch(suffix):
        return f"weight_hh{rest} is stored in a way that rnndiag does not know"
    parts = [each.removeprefix(f"{suffix}.") for each in rests if f"{suffix}." in each]
    return compose.why_not_undone(f"weight_hh{suffix}", parts)
