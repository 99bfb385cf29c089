"""What stands in a followed pickle for the objects that it describes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_LONGEST_NAME = 80
_LONGEST_KEY = 16
_MOST_BITS = 63
"""Of an integer as a key: Python's hash is the same for integers that differ by 2⁶¹ - 1."""


class BrokenPickle(ValueError):
    """The pickle breaks off, makes no sense, or does what no checkpoint needs."""


class HugePickle(BrokenPickle):
    """What the pickle describes would take far more memory than the pickle."""


class Global:
    """The name of a class or function; nothing was imported for it."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"Global({shown(self.name)!r})"


class StandIn(Mapping[Any, Any]):
    """An object of a class that was not loaded: what it was called with, and its attributes.

    As a mapping it has the attributes by name, and the items that the pickle puts into it. It
    equals itself alone, so that comparing never follows what a file holds.
    """

    __slots__ = ("_parts", "arguments", "name", "state")

    def __init__(self, name: str, arguments: tuple[Any, ...] = ()) -> None:
        self.name = name
        """Of the class or function, with its module."""
        self.arguments = arguments
        self.state: Any = None
        """What the object was to restore itself from."""
        self._parts: list[dict[Any, Any]] = []

    def build(self, state: Any) -> None:
        """Take `state`: a dictionary of attributes, with another of slots, or anything else."""
        self.state = state
        parts = state if isinstance(state, tuple) and len(state) == 2 else (state,)
        # Kept, not copied: a pickle can build many objects from one large dictionary.
        self._parts += [part for part in parts if isinstance(part, dict)]

    def put(self, key: Any, value: Any) -> None:
        """Set an item."""
        if not self._parts:
            self._parts.append({})
        self._parts[0][key] = value

    def __getitem__(self, key: Any) -> Any:
        for part in reversed(self._parts):
            if key in part:
                return part[key]
        raise KeyError(key)

    def __iter__(self) -> Iterator[Any]:
        return iter(dict.fromkeys(key for part in self._parts for key in part))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"StandIn({shown(self.name)!r})"


def shown(name: str) -> str:
    """A name out of a file as a message can hold it: short, and without control characters."""
    plain = "".join(character if character.isprintable() else "?" for character in name)
    return plain if len(plain) <= _LONGEST_NAME else f"{plain[:_LONGEST_NAME]}…"


def as_key(value: Any) -> Any:
    """`value` as a key that hashes and compares at once; raises `BrokenPickle`.

    Tuples hash what they hold each time, recursively and in C: deep ones end the process, and
    wide ones never end. A pickle can also choose integers of one hash.
    """
    if isinstance(value, (list, dict)):
        raise BrokenPickle("a list or a dictionary is used as a key")
    parts = value if isinstance(value, tuple) else (value,)
    plain = len(parts) <= _LONGEST_KEY and not any(map(_is_costly, parts))
    return value if plain else StandIn("key", (value,))


def _is_costly(value: Any) -> bool:
    is_large = isinstance(value, int) and value.bit_length() > _MOST_BITS
    return is_large or isinstance(value, (tuple, list, dict))
