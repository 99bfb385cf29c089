"""JSON that rnndiag wrote itself, read back into records: whatever is wrong is one message."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from rnndiag.errors import RnndiagError

LARGEST = 256 * 2**20
"""Bytes that are read at most: the longest reports have a few million."""
_DEEPEST = 100
"""Levels of lists and objects; rnndiag's own files have about ten. What goes deeper could be
read, but would exhaust the stack of whatever walks through it later."""

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class SavedJson:
    """One file, and the error and the hint that its user gets where it cannot be read."""

    path: Path
    refusal: type[RnndiagError]
    hint: str

    def load(self, version: str, newest: int) -> dict[str, Any]:
        """The file's one object, whose key `version` must not be above `newest`.

        Raises `refusal`, as `structure` does.
        """
        data = self._parsed()
        if not isinstance(data, dict):
            raise self.refuse("does not hold a JSON object")
        if _is_deeper(data, _DEEPEST):
            raise self.refuse("is nested too deeply")
        written = self.structure(data.get(version), int, f"$.{version}")
        if written > newest:
            what = version.removesuffix("_version")
            raise self.refuse(f"was written by a newer rnndiag: {what} {written}", "update rnndiag")
        return data

    def structure(self, value: Any, into: type[T], place: str = "$") -> T:
        """Plain data as a record or a type of Python's; `place` is where in the file it stands.

        Keys that the record does not have are left out, and no value is converted: a number
        in quotes is none.
        """
        try:
            return msgspec.convert(value, into)
        except msgspec.ValidationError as error:
            what, _, where = str(error).partition(" - at ")
            where = where.strip("`").replace("$", place, 1) or place
            raise self.refuse(f"{where}: {what[0].lower()}{what[1:]}") from error
        except UnicodeEncodeError as error:
            # JSON can escape half of a character, which msgspec does not take for text.
            raise self.refuse(f"{place}: a text has a character that is none") from error

    def refuse(self, what: str, hint: str | None = None) -> RnndiagError:
        """The error that says `what` of the file."""
        return self.refusal(f"{self.path}: {what}", self.hint if hint is None else hint)

    def _parsed(self) -> Any:
        try:
            if self.path.stat().st_size > LARGEST:
                raise self.refuse(f"is larger than {LARGEST // 2**20} MiB")
            # Of bytes, json tells the encoding by itself: PowerShell redirects in UTF-16.
            return json.loads(self.path.read_bytes())
        except OSError as error:
            raise self.refuse(f"cannot be read: {error.strerror or error}") from error
        except RecursionError as error:
            raise self.refuse("is nested too deeply") from error
        except ValueError as error:
            raise self.refuse(f"is no JSON: {error}") from error


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether lists and objects stand in each other more than `levels` deep."""
    if levels == 0:
        return True
    items = value.values() if isinstance(value, dict) else value
    inner = (item for item in items if isinstance(item, (dict, list)))
    return any(_is_deeper(item, levels - 1) for item in inner)
