"""What Python callers give: names that are known, paths of any kind, and no arrays."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from rnndiag.errors import BadOption

_FILES = ("probe", "targets", "architecture")
"""Arguments that name files, as texts in the records."""


def arguments(function: str, known: Sequence[str], given: Mapping[str, Any]) -> dict[str, Any]:
    """`given` with its paths as texts.

    Raises `TypeError` for a name that `function` does not have, and `BadOption` where a file is
    to be named and something else is given.
    """
    for name in given:
        if name not in known:
            near = get_close_matches(name, known)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise TypeError(f"{function}() has no argument {name}{hint}")
    return {
        name: _file(name, value) if name in _FILES and value is not None else value
        for name, value in given.items()
    }


def place(path: object) -> str:
    """The checkpoint's path as text; raises `TypeError` for what is none."""
    if isinstance(path, (str, os.PathLike)):
        return os.fsdecode(path)
    raise TypeError(f"the checkpoint is named by its path, not given as {type(path).__name__}")


def _file(name: str, value: object) -> str:
    if isinstance(value, (str, os.PathLike)):
        return os.fsdecode(value)
    key = "y" if name == "targets" else "x"
    hint = f"save it, and name the file: numpy.savez('{name}.npz', {key}=array)"
    raise BadOption(f"{name} is given as {type(value).__name__}, not as the path of a file", hint)
