"""Which of a nested model's arrays belong to which of its layers.

A nested model is stored as one flat list: the trainable arrays of all its layers first, then
the others, among them those of frozen layers. Names tell where they name the layer; some
writers leave that out, and there the places count. Keras 3's own files keep layers apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rnndiag.layers.base import layer_class
from rnndiag.layers.recurrent import Recurrent
from rnndiag.records import LayerSpec, NamedArray
from rnndiag.wiring._keras_classes import MODELS

Config = Mapping[str, Any]
Named = tuple[str, Config]
Split = dict[str, tuple[NamedArray, ...]]


def split(layers: Sequence[Named], arrays: Sequence[NamedArray]) -> Split | None:
    """Give each named layer its arrays in stored order; None where neither way tells."""
    return _by_owner(layers, arrays) or _by_name(layers, arrays) or _by_place(layers, arrays)


def variables(layer: Config) -> tuple[bool, ...] | None:
    """Whether each array of a layer is trainable, in the order in which it is stored alone.

    None for a layer that is not Keras's own, or not rebuilt here.
    """
    own = layer["config"]
    flags = _variables(str(layer["class_name"]), own)
    frozen = isinstance(own, Mapping) and own.get("trainable") is False
    return (False,) * len(flags) if flags is not None and frozen else flags


def cells_in(cell: Config) -> Iterator[Config]:
    """The cells of an ``RNN``: one, or those of a stack."""
    if cell.get("class_name") == "StackedRNNCells":
        for inner in cell["config"]["cells"]:
            yield from cells_in(inner)
    else:
        yield cell


def as_weights(arrays: Sequence[NamedArray]) -> dict[str, Any]:
    """A layer's arrays, and what the file calls them."""
    return {
        "weights": tuple(stored.array for stored in arrays),
        "parameters": tuple((stored.name,) for stored in arrays),
    }


def hidden(spec: LayerSpec, reason: str) -> LayerSpec:
    """A layer whose arrays are not known; an input needs none."""
    return spec if spec.kind == "InputLayer" else replace(spec, problem=reason)


def by_cell(cells: Sequence[Config], arrays: Sequence[NamedArray]) -> list[Sequence[NamedArray]]:
    """Each stacked cell's arrays, which follow one another."""
    shares = []
    for cell in cells:
        count = len(Recurrent.variables(cell["config"]))
        shares.append(arrays[:count])
        arrays = arrays[count:]
    return shares


def _by_owner(layers: Sequence[Named], arrays: Sequence[NamedArray]) -> Split | None:
    """By the layer that the file itself tells; None where it does not."""
    if not arrays or not all(array.owner for array in arrays):
        return None
    found: dict[str, list[NamedArray]] = {name: [] for name, _ in layers}
    for array in arrays:
        found[array.owner[0]].append(replace(array, owner=array.owner[1:]))
    return {name: tuple(own) for name, own in found.items()}


def _by_name(layers: Sequence[Named], arrays: Sequence[NamedArray]) -> Split | None:
    """By the one layer that each array's path names; None where that does not come out."""
    found: dict[str, list[NamedArray]] = {name: [] for name, _ in layers}
    for array in arrays:
        owners = [part for part in array.name.split("/")[:-1] if part in found]
        if len(owners) != 1:
            return None
        found[owners[0]].append(array)
    for name, config in layers:
        flags = variables(config)
        if flags is not None and len(flags) != len(found[name]):
            return None
    return {name: tuple(own) for name, own in found.items()}


def _by_place(layers: Sequence[Named], arrays: Sequence[NamedArray]) -> Split | None:
    """By each layer's number of trainable and other arrays; None where they do not add up."""
    flags = [(name, flag) for name, config in layers for flag in variables(config) or ()]
    order = [name for wanted in (True, False) for name, flag in flags if flag is wanted]
    if len(order) != len(arrays):
        return None
    found: dict[str, list[NamedArray]] = {name: [] for name, _ in layers}
    for name, array in zip(order, arrays, strict=True):
        found[name].append(array)
    return {name: tuple(own) for name, own in found.items()}


def _variables(kind: str, own: Any) -> tuple[bool, ...] | None:
    """The same, as if the layer itself were not frozen."""
    if not isinstance(own, Mapping):
        return _trainable_first(_joined(own))
    if kind in MODELS or "output_layers" in own:
        return _trainable_first(_joined(own["layers"]))
    if kind == "Bidirectional":
        return _joined([own["layer"], own.get("backward_layer") or own["layer"]])
    if kind == "TimeDistributed":
        return variables(own["layer"])
    if kind == "RNN":
        cells = list(cells_in(own["cell"]))
        return tuple(flag for cell in cells for flag in Recurrent.variables(cell["config"]))
    # An operation of Keras 3 has no arrays, whatever layer is called the same.
    is_operation = "trainable" not in own and layer_class(f"ops.{kind}") is not None
    found = layer_class(f"ops.{kind}" if is_operation else kind)
    return found.variables(own) if found is not None else None


def _joined(layers: Sequence[Config]) -> tuple[bool, ...] | None:
    each = [variables(layer) for layer in layers if layer["class_name"] != "InputLayer"]
    known = [flags for flags in each if flags is not None]
    return tuple(flag for flags in known for flag in flags) if len(known) == len(each) else None


def _trainable_first(flags: tuple[bool, ...] | None) -> tuple[bool, ...] | None:
    return None if flags is None else tuple(sorted(flags, reverse=True))
