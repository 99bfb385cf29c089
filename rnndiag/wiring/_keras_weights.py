"""Which of a nested model's arrays belong to which of its layers.

A nested model is stored as one flat list: the trainable arrays of all its layers first, then
the others, among them those of frozen layers. Names tell where they name the layer; some
writers leave that out, and there the places count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rnndiag.layers.base import layer_class
from rnndiag.records import NamedArray

Config = Mapping[str, Any]
Named = tuple[str, Config]
Split = dict[str, tuple[NamedArray, ...]]


def split(layers: Sequence[Named], arrays: Sequence[NamedArray]) -> Split:
    """Give each named layer its arrays in stored order."""
    return _by_name([name for name, _ in layers], arrays) or _by_place(layers, arrays)


def _by_name(names: Sequence[str], arrays: Sequence[NamedArray]) -> Split | None:
    """By the one layer that each array's path names; None where some path names none."""
    found: dict[str, list[NamedArray]] = {name: [] for name in names}
    for array in arrays:
        owners = [part for part in array.name.split("/")[:-1] if part in found]
        if len(owners) != 1:
            return None
        found[owners[0]].append(array)
    return {name: tuple(own) for name, own in found.items()}


def _by_place(layers: Sequence[Named], arrays: Sequence[NamedArray]) -> Split:
    """By each layer's number of trainable and other arrays."""
    flags = {name: _flags(config) for name, config in layers}
    order = [name for value in (True, False) for name in flags for f in flags[name] if f is value]
    unknown = [name for name, config in layers if _kind(config) is None]
    if unknown:
        # What the known layers leave over, as far as one custom layer is concerned.
        order[len(order) :] = [unknown[0]] * max(0, len(arrays) - len(order))
    found: dict[str, list[NamedArray]] = {name: [] for name in flags}
    for name, array in zip(order, arrays, strict=False):
        found[name].append(array)
    return {name: tuple(own) for name, own in found.items()}


def _kind(config: Config) -> type | None:
    return layer_class(str(config["class_name"]).rsplit(">", 1)[-1])


def _flags(config: Config) -> tuple[bool, ...]:
    """Whether each array of a layer is trainable, in the order it would be stored alone."""
    own = config["config"]
    inner = own.get("layers") if isinstance(own, Mapping) else own
    if inner is not None:
        parts = [flag for layer in inner for flag in _flags(layer)]
        flags = (*(f for f in parts if f), *(f for f in parts if not f))
    elif isinstance(own.get("layer"), Mapping) and config["class_name"] != "Bidirectional":
        flags = _flags(own["layer"])
    elif isinstance(own.get("cell"), Mapping):
        cells = own["cell"]["config"].get("cells", [own["cell"]])
        flags = tuple(flag for cell in cells for flag in _flags(cell))
    else:
        found = layer_class(str(config["class_name"]).rsplit(">", 1)[-1])
        flags = found.variables(own) if found else ()
    trainable = not isinstance(own, Mapping) or own.get("trainable", True)
    return flags if trainable else (False,) * len(flags)
