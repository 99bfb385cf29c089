"""Constructors of plain values in pickles: Python's containers, and single numbers of numpy."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from rnndiag.checkpoints._pickles.machine import Known
from rnndiag.checkpoints._pickles.objects import BrokenPickle, Global, StandIn, as_key

_ENTRY = 100
_FORMATS = {
    **{"b1": "?", "i1": "b", "i2": "h", "i4": "i", "i8": "q"},
    **{"u1": "B", "u2": "H", "u4": "I", "u8": "Q", "f2": "e", "f4": "f", "f8": "d"},
}
"""numpy's type codes, as `struct` calls them."""
_DTYPE = "numpy.dtype"

Charge = Callable[[int], None]
Call = Callable[[Any, Any], Any]


def plain(charge: Charge, call: Call) -> dict[str, Known]:
    """The constructors by name; they `charge` what they copy, and `call` others' ones."""

    def pairs(items: Any = ()) -> dict[Any, Any]:
        if isinstance(items, dict):
            return items
        charge(_ENTRY * len(items))
        return {as_key(key): value for key, value in items}

    def encoded(text: str, encoding: str = "utf-8") -> bytes:
        if encoding not in ("latin1", "latin-1", "utf-8", "ascii"):
            raise BrokenPickle(f"bytes in the encoding {encoding[:20]!r}")
        charge(len(text))
        return text.encode(encoding)

    def reconstructed(kind: Any, base: Any, state: Any) -> Any:
        """`copyreg`'s way to make an object of protocol 0 or 1, perhaps from a base's value."""
        made = call(kind, ())
        if isinstance(made, StandIn) and isinstance(state, dict):
            made.build(state)
        return made

    return {
        "collections.OrderedDict": pairs,
        "collections.Counter": pairs,
        "collections.defaultdict": lambda factory=None, items=(): pairs(items),
        "builtins.dict": pairs,
        **{f"builtins.{name}": _items for name in ("list", "set", "frozenset", "tuple")},
        **{f"builtins.{name}": _bytes for name in ("bytes", "bytearray")},
        "_codecs.encode": encoded,
        "copyreg._reconstructor": reconstructed,
        "copyreg.__newobj__": lambda kind, *arguments: call(kind, arguments),
        _DTYPE: lambda *arguments: StandIn(_DTYPE, arguments),
        "numpy.core.multiarray.scalar": _number,
        "numpy._core.multiarray.scalar": _number,
    }


def _items(items: Any = ()) -> Any:
    """A list or a tuple as it came: to copy it would let a short pickle fill the memory."""
    if not isinstance(items, (list, tuple)):
        return StandIn("iterable", (items,))
    return items or []


def _bytes(content: Any = b"", encoding: Any = None) -> bytes:
    if isinstance(content, bytes):
        return content
    if isinstance(content, list) and not content:
        return b""
    raise BrokenPickle("bytes are made of something else")


def _number(kind: Any, content: Any = b"") -> Any:
    """A number of numpy as Python's; a `StandIn` where it is of another type."""
    code, order = _code(kind)
    form = _FORMATS.get(code)
    if form is None or not isinstance(content, (bytes, str)):
        return StandIn("numpy scalar", (kind, content))
    raw = content.encode("latin-1") if isinstance(content, str) else content
    (value,) = struct.unpack(order + form, raw)
    return value


def _code(kind: Any) -> tuple[str, str]:
    """The code of a numpy type, and its byte order as `struct` writes it."""
    if isinstance(kind, Global):
        return kind.name, "<"
    if not isinstance(kind, StandIn) or kind.name != _DTYPE or not kind.arguments:
        return "", "<"
    name, state = kind.arguments[0], kind.state
    if not isinstance(name, str):
        return "", "<"
    big = isinstance(state, tuple) and len(state) > 1 and state[1] in (">", b">")
    return name.lstrip("<>|="), ">" if big else "<"
