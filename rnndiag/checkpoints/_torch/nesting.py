"""A flat mapping nested again: distributed checkpoints keep each value's path beside its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rnndiag.checkpoints._pickles.objects import BrokenPickle

_DEEPEST = 32
_BUFFERS = "state"
"""Of an optimizer: its keys are the numbers of its parameters, which are saved as text."""


def nested(values: Mapping[str, Any], paths: Mapping[Any, Any]) -> dict[Any, Any]:
    """The values at their paths; those without one stand under their name.

    Where all keys of a level are numbers it becomes a list. Raises `BrokenPickle` where paths
    are none, or one leads through another's end.
    """
    top: dict[Any, Any] = {}
    for name, value in values.items():
        *leading, last = _path(name, paths.get(name, (name,)))
        level = top
        for key in leading:
            level = level.setdefault(key, _Level())
            if not isinstance(level, _Level):
                raise BrokenPickle(f"{key!r} is a value and a mapping")
        if isinstance(level.get(last), _Level):
            raise BrokenPickle(f"{last!r} is a value and a mapping")
        level[last] = value
    return {key: _plain(value, key) for key, value in top.items()}


class _Level(dict[Any, Any]):
    """A mapping that was made here, and not read."""


def _path(name: str, told: Any) -> tuple[Any, ...]:
    parts = told if isinstance(told, tuple) else ()
    if not 0 < len(parts) <= _DEEPEST or not all(type(part) in (str, int) for part in parts):
        raise BrokenPickle(f"{name[:80]!r} is at no place")
    return parts


def _plain(value: Any, key: Any) -> Any:
    if not isinstance(value, _Level):
        return value
    inner = {own: _plain(item, own) for own, item in value.items()}
    if key == _BUFFERS:
        return {_number(own): item for own, item in inner.items()}
    if all(isinstance(own, int) for own in inner):
        return [inner[own] for own in sorted(inner)]
    return inner


def _number(key: Any) -> Any:
    is_number = isinstance(key, str) and key.isascii() and key.isdecimal() and len(key) < 10
    return int(key) if is_number else key
