"""A ``TensorFlowOpLayer``: a node of a graph, kept as TensorFlow's NodeDef written in JSON.

So TensorFlow 1.15 to 2.3 keep operations in functional models. The inputs that are no layer's
outputs stand beside the node as constants, by their places among its inputs.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

from rnndiag.layers._ops.arguments import Slot

Config = Mapping[str, Any]

_TYPES = {"double": "float64", "float": "float32", "half": "float16"}
_WANTED_TYPES = ("DstT",)
"""Attributes that tell a type which the inputs do not have already."""


def node_kind(own: Config) -> str:
    """The operation under its name in ``tf.raw_ops``."""
    return f"tf.raw_ops.{own['node_def']['op']}"


def node_operands(own: Config, count: int) -> dict[str, Any]:
    """Inputs, of which `count` are tensors, as ``args``; the node's attributes as ``kwargs``.

    Raises `ValueError` where the constants leave no place for a tensor between them.
    """
    args: list[Any] = [Slot(place) for place in range(count)]
    constants = own.get("constants") or {}
    for place in sorted(map(int, constants)):
        if not 0 <= place <= len(args):
            raise ValueError(f"a constant for input {place} of {len(args)} is out of place")
        args.insert(place, constants[str(place)])
    kwargs = _attributes(own["node_def"].get("attr") or {})
    listed = kwargs.pop("N", None)
    if listed is not None:
        # The first so many inputs are one list.
        args = [args[:listed], *args[listed:]]
    return {"args": args, "kwargs": kwargs}


def _attributes(stored: Config) -> dict[str, Any]:
    """The attributes that count, in Python's values; an underscore marks TensorFlow's own."""
    return {
        name: _value(value)
        for name, value in stored.items()
        if not name.startswith("_") and ("type" not in value or name in _WANTED_TYPES)
    }


def _value(stored: Config) -> Any:
    """An AttrValue; what is none of the plain kinds as it is."""
    ((kind, value),) = stored.items()
    if kind == "list":
        return [_PLAIN[k](item) for k, items in value.items() for item in items]
    return _PLAIN[kind](value) if kind in _PLAIN else stored


def _type(name: str) -> str:
    plain = name.removeprefix("DT_").lower()
    return _TYPES.get(plain, plain)


_PLAIN: Mapping[str, Callable[[Any], Any]] = {
    "b": bool,
    # Through text, as which integers come: JSON has none of 64 bits, but larger numbers.
    "f": lambda number: float(str(number)),
    "i": lambda number: int(str(number)),
    "s": lambda text: base64.b64decode(text).decode(),
    "type": _type,
}
