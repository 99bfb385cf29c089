"""The order in which a state dict's modules must stand, where only one is possible.

A state dict has no graph. But where every tensor belongs to a module that can be told by its
names and shapes, and these line up in one way from input to output, that is the network, up
to what has no weights: activations and pooling.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations

from rnndiag.records import Shape
from rnndiag.wiring._state_dict_modules import RecurrentModule

_LINE = re.compile(r"E?N?(DN?)?R(N?R)*N?D?")
"""Units in a row by their letters; two dense ones in succession need an unknown activation."""
_BEGUN = re.compile(r"E?N?(DN?)?(R(N?R)*N?D?)?")
"""What such a row begins with."""
_LETTERS = {
    "Embedding": "E",
    "Dense": "D",
    "LayerNormalization": "N",
    "BatchNormalization": "N",
    "Recurrent": "R",
}
_EMBEDDING = re.compile(r"emb", re.IGNORECASE)
_DENSE = re.compile(r"linear|dense|fc|proj|out|head|decoder|classif", re.IGNORECASE)
_LAYER_NORM = re.compile(r"layer_?norm|(^|\.)(norm|ln)\d*([._]|$)", re.IGNORECASE)
"""Group and instance norms hold the same tensors."""
_ANY_NORM = re.compile(r"norm|(^|[._])ln\d*([._]|$)", re.IGNORECASE)
"""Whichever it is, where nothing is computed with it."""
_ORDER = ("weight", "bias", "running_mean", "running_var")
_MOST_UNITS = 6
"""Whose orders are tried one by one."""


class NoChain(ValueError):
    """The modules do not line up in one way; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Unit:
    """One module with weights, and the features that enter and leave it."""

    path: str
    kind: str
    """A Keras kind; ``Recurrent`` for a recurrent module."""
    inputs: int | None
    """None for token ids."""
    outputs: int
    names: tuple[str, ...] = ()
    module: RecurrentModule | None = None


def find_chain(
    shapes: Mapping[str, Shape],
    modules: Sequence[RecurrentModule],
    kinds: Mapping[str, str | None],
    *,
    ordered: bool,
) -> tuple[Unit, ...]:
    """The units from input to output; `ordered` if the tensors stand in the code's order.

    `kinds` has what is known of each module by its class. Raises `NoChain`.
    """
    for module in modules:
        if module.is_cell or module.problem:
            what = "a cell, which code calls step by step" if module.is_cell else module.problem
            raise NoChain(f"{module.path or 'the module'}: {what}")
    units = _units(shapes, modules, kinds)
    if len(units) == len(modules) == 1:
        raise NoChain("the file holds one recurrent module and nothing around it")
    if not ordered and len(units) > _MOST_UNITS:
        raise NoChain("the file does not keep the order of its modules")
    orders: Iterable[Sequence[Sequence[Unit]]] = [units] if ordered else permutations(units)
    found = [line for order in orders for line in _lines(order)]
    if len(found) != 1:
        how = "in several ways" if found else "in no way"
        raise NoChain(f"its modules line up {how}: {', '.join(unit[0].path for unit in units)}")
    return found[0]


def beside(
    shapes: Mapping[str, Shape],
    modules: Sequence[RecurrentModule],
    kinds: Mapping[str, str | None],
) -> tuple[Unit, ...]:
    """What stands around the recurrent modules, where the tensors leave one reading."""
    groups = _groups(shapes, modules).items()
    readings = [
        _readings(path, names, shapes, kinds.get(path), _ANY_NORM)
        for (path, module), names in groups
        if module is None
    ]
    return tuple(found[0] for found in readings if len(found) == 1)


def _units(
    shapes: Mapping[str, Shape],
    modules: Sequence[RecurrentModule],
    kinds: Mapping[str, str | None],
) -> list[tuple[Unit, ...]]:
    """Each module's possible readings, in the order of the tensors; raises `NoChain`."""
    units = []
    for (path, module), names in _groups(shapes, modules).items():
        told = kinds.get(path)
        readings = (recurrent_unit(module),) if module else _readings(path, names, shapes, told)
        if not readings:
            raise NoChain(f"what {', '.join(names[:3])} are for is not known")
        units.append(readings)
    return units


def _groups(
    shapes: Mapping[str, Shape], modules: Sequence[RecurrentModule]
) -> dict[tuple[str, RecurrentModule | None], list[str]]:
    """The tensors of each module, by its path; recurrent ones know which are theirs."""
    owner = {name: module for module in modules for name in module.names}
    groups: dict[tuple[str, RecurrentModule | None], list[str]] = {}
    for name in shapes:
        module = owner.get(name)
        path = name.rpartition(".")[0] if module is None else module.path
        groups.setdefault((path, module), []).append(name)
    return groups


def recurrent_unit(module: RecurrentModule) -> Unit:
    """A recurrent module as a unit."""
    return Unit(
        path=module.path,
        kind="Recurrent",
        inputs=module.input_size,
        outputs=module.output_size,
        module=module,
    )


def _readings(
    path: str,
    names: Sequence[str],
    shapes: Mapping[str, Shape],
    told: str | None,
    norm: re.Pattern[str] = _LAYER_NORM,
) -> tuple[Unit, ...]:
    """What a module may be, which its class may have `told`; empty where it is nothing known."""
    arrays = {name.rpartition(".")[2]: name for name in names}
    ordered = tuple(arrays[key] for key in _ORDER if key in arrays)
    own = {key: shapes[name] for key, name in arrays.items()}
    return tuple(
        Unit(path=path, kind=kind, inputs=inputs, outputs=outputs, names=ordered)
        for kind, inputs, outputs in _kinds(own)
        if (_is_named_so(kind, path, own, norm) if told is None else kind == told)
    )


def _kinds(shapes: Mapping[str, Shape]) -> Iterator[tuple[str, int | None, int]]:
    """Kind, inputs and outputs of each module that such tensors may belong to."""
    weight = shapes.get("weight", ())
    vectors = {key: shape for key, shape in shapes.items() if key != "weight"}
    if any(shape != weight[:1] for shape in vectors.values()):
        return
    if len(weight) == 2 and vectors.keys() <= {"bias"}:
        yield "Dense", weight[1], weight[0]
        if not vectors:
            yield "Embedding", None, weight[1]
    elif len(weight) == 1 and vectors.keys() == {"bias"}:
        yield "LayerNormalization", weight[0], weight[0]
    elif len(weight) == 1 and vectors.keys() == {"bias", "running_mean", "running_var"}:
        yield "BatchNormalization", weight[0], weight[0]


def _is_named_so(kind: str, path: str, shapes: Mapping[str, Shape], norm: re.Pattern[str]) -> bool:
    """Whether a module of this path can be of this kind; `norm` is what a layer norm's is like."""
    match kind:
        case "Dense":
            return "bias" in shapes or not _EMBEDDING.search(path)
        case "Embedding":
            return bool(_EMBEDDING.search(path)) or not _DENSE.search(path)
        case "LayerNormalization":
            return bool(norm.search(path))
    return True


def _lines(units: Sequence[Sequence[Unit]]) -> list[tuple[Unit, ...]]:
    """The rows of one reading of each unit, in this order, that are whole lines."""
    # Readings that fit nothing go at once: with two of each unit there would be 2ⁿ rows.
    begun: list[tuple[Unit, ...]] = [()]
    for readings in units:
        begun = [(*line, unit) for line in begun for unit in readings if _goes_on(line, unit)]
    return [line for line in begun if _is_whole(line)]


def _goes_on(line: Sequence[Unit], unit: Unit) -> bool:
    """Whether the unit can stand behind these."""
    fits = not line or unit.inputs == line[-1].outputs
    return fits and bool(_BEGUN.fullmatch(_letters((*line, unit))))


def _is_whole(line: Sequence[Unit]) -> bool:
    """Whether nothing is missing behind the units, and recurrent ones are in their order."""
    recurrent = [unit.path for unit in line if unit.module]
    return bool(_LINE.fullmatch(_letters(line))) and _in_series(recurrent)


def _letters(line: Sequence[Unit]) -> str:
    return "".join(_LETTERS[unit.kind] for unit in line)


def _in_series(paths: Sequence[str]) -> bool:
    """Whether several recurrent modules are numbered: others may stand side by side."""
    stems = {re.sub(r"\d+", "0", path) for path in paths}
    numbers = [[int(digits) for digits in re.findall(r"\d+", path)] for path in paths]
    return len(stems) == 1 and all(a < b for a, b in pairwise(numbers))
