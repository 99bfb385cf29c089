"""TOML files that people write: what stands in them, and on which line.

A `Check` takes a value and gives it as what the caller wants; it raises `ValueError` with what
the value must be. `checked` turns that, and keys that nobody knows, into `BadOption`.
"""

from __future__ import annotations

import difflib
import math
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rnndiag.errors import BadOption

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Check = Callable[[Any], Any]
Keys = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Document:
    """A TOML file that was read."""

    path: Path
    values: Mapping[str, Any]
    lines: Mapping[Keys, int]
    """Where keys stand, by their path; the tables of an array count from ``"0"``."""

    def place(self, *keys: str) -> str:
        """The file, and the line of the innermost of `keys` whose line is known."""
        for length in range(len(keys), 0, -1):
            if keys[:length] in self.lines:
                return f"{self.path}, line {self.lines[keys[:length]]}"
        return str(self.path)


def read(path: Path) -> Document:
    """Raises `BadOption` where the file cannot be read or is no TOML."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        values = tomllib.loads(text)
    except OSError as error:
        raise BadOption(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise BadOption(f"{path}: is not UTF-8, so no TOML", "save it as UTF-8") from error
    except (ValueError, RecursionError) as error:
        # The parser's message ends with the line and the column. It is a ValueError, and so is
        # what Python says to numbers of thousands of digits.
        hint = 'texts stand in quotes, tables begin with [name]: optimizer = "Adam"'
        raise BadOption(f"{path}: broken TOML: {error}", hint) from error
    return Document(path=path, values=values, lines=dict(_lines(text)))


# ---------------------------------------------------------------- tables and their keys


def table(document: Document, value: Any, at: Keys = ()) -> dict[str, Any]:
    """A table with its keys in snake case; raises `BadOption` where `value` is none."""
    if not isinstance(value, Mapping):
        name = ".".join(at)
        raise BadOption(f"{document.place(*at)}: {name} must be a table", f"[{name}]")
    found: dict[str, Any] = {}
    for key, item in value.items():
        name = key.replace("-", "_")
        if name in found:
            raise BadOption(f"{document.place(*at, key)}: {name} stands there twice")
        found[name] = item
    return found


def checked(
    document: Document, values: Mapping[str, Any], checks: Mapping[str, Check], at: Keys = ()
) -> dict[str, Any]:
    """Each value as its check gives it; raises `BadOption` for unknown keys and unfit values."""
    found = {}
    for key, value in values.items():
        if key not in checks:
            raise unknown(document, key, checks, at)
        try:
            found[key] = checks[key](value)
        except ValueError as error:
            what = f"{'.'.join((*at, key))} is {_shown(value)}, but must be {error}"
            raise BadOption(f"{place_of(document, at, key)}: {what}") from None
    return found


def unknown(document: Document, key: str, known: Collection[str], at: Keys = ()) -> BadOption:
    """The error for a key that nobody knows, with the nearest of those that are known."""
    near = difflib.get_close_matches(key, known, n=3)
    hint = f"did you mean {', '.join(near)}?" if near else f"known: {', '.join(known)}"
    return BadOption(f"{place_of(document, at, key)}: unknown key {'.'.join((*at, key))}", hint)


def place_of(document: Document, at: Keys, key: str) -> str:
    """The line of a key that was perhaps written with dashes."""
    dashed = key.replace("_", "-")
    return document.place(*at, dashed if (*at, dashed) in document.lines else key)


def _shown(value: Any) -> str:
    """A value as TOML has it, not too long for a message."""
    if isinstance(value, bool):
        return str(value).lower()
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _lines(text: str) -> Iterator[tuple[Keys, int]]:
    """Every key at the start of a line and every table's head, with its line.

    Later ones win, so what looks like a key inside a text over many lines can mislead: the
    line is only told, never relied on.
    """
    at: Keys = ()
    counts: dict[Keys, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if stripped.startswith("["):
            head = _path(stripped)
            if head and stripped.startswith("[["):
                counts[head] = counts.get(head, -1) + 1
                head = (*head, str(counts[head]))
            at = head or at
            yield at, number
        elif "=" in stripped and (keys := _path(f"{stripped.partition('=')[0]} = 0")):
            yield (*at, *keys), number


def _path(line: str) -> Keys:
    """The keys of one line, by the parser's own rules for quotes and dots."""
    try:
        value: Any = tomllib.loads(line)
    except (ValueError, RecursionError):
        return ()
    keys: list[str] = []
    while isinstance(value, (dict, list)) and value:
        if isinstance(value, dict):
            keys.append(next(iter(value)))
            value = value[keys[-1]]
        else:
            value = value[0]
    return tuple(keys)


# ---------------------------------------------------------------- checks


def text(value: Any) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a text")
    return value


def texts(value: Any) -> tuple[str, ...]:
    """A list of texts; one alone may stand without brackets."""
    items = value if isinstance(value, list) else [value]
    if not all(isinstance(item, str) and item.strip() for item in items):
        raise ValueError("a text or a list of texts")
    return tuple(items)


def truth(value: Any) -> bool:
    """``true`` or ``false``."""
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def one_of(*choices: str) -> Check:
    """One of several words."""

    def check(value: Any) -> str:
        if value not in choices or not isinstance(value, str):
            raise ValueError(f"one of {', '.join(choices)}")
        return value

    return check


def whole(least: int) -> Check:
    """A whole number that is at least `least`."""

    def check(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ValueError(f"a whole number of at least {least}")
        return value

    return check


def number(allowed: Callable[[float], bool], words: str) -> Check:
    """A finite number that is `allowed`, which `words` say: ``above 0``."""

    def check(value: Any) -> float:
        if not _finite(value) or not allowed(float(value)):
            raise ValueError(f"a number {words}".rstrip())
        return float(value)

    return check


def _finite(value: Any) -> bool:
    """Whether `value` is a number that fits into a float."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
