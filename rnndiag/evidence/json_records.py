"""JSON as people keep tables in it: lists of records, and JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rnndiag.errors import BadOption
from rnndiag.evidence.tabular import Table

_DEEPEST = 50
"""Levels of nesting; tables of trainings have three or four."""


@dataclass(frozen=True, kw_only=True)
class Content:
    """What a JSON file holds."""

    value: Any
    notes: tuple[str, ...] = ()


def is_json(text: str) -> bool:
    """Whether a text that is either JSON or CSV is JSON."""
    return text.lstrip("\ufeff \t\r\n")[:1] in ("{", "[")


def load(path: Path, text: str) -> Content:
    """One JSON value, or the list of those of a JSON lines file; `BadOption` where it is neither.

    The last line of JSON lines may be cut off, as a run that is killed leaves it.
    """
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise _too_deep(path) from error
    except ValueError as error:
        return _lines(path, text, error)
    return Content(value=_shallow(path, value))


def records(content: Content) -> Table:
    """A list of objects as rows, or one object as the only row; a note tells of anything else."""
    listed = content.value if isinstance(content.value, list) else [content.value]
    rows = tuple(dict(flat(record)) for record in listed if isinstance(record, dict))
    columns = dict.fromkeys(name for row in rows for name in row)
    others = len(listed) - len(rows)
    notes = (f"{others} entries are no JSON objects and were left out",) if others else ()
    return Table(columns=tuple(columns), rows=rows, notes=(*content.notes, *notes))


def flat(value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The leaves of nested objects by the path to each: ``train/loss``."""
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from ((f"{name}/{path}", leaf) for path, leaf in flat(inner))
        else:
            yield name, inner


def unwrapped(value: Any, wrappers: Sequence[str]) -> Any:
    """What stands under one of the `wrappers`, as deep as they go."""
    while isinstance(value, dict):
        inner = next((value[name] for name in wrappers if _holds_more(value.get(name))), None)
        if inner is None:
            return value
        value = inner
    return value


def _lines(path: Path, text: str, whole: ValueError) -> Content:
    """JSON lines; `whole` is what keeps the text from being one JSON value."""
    lines = [line for line in text.splitlines() if line.strip()]
    values = [value for line in lines[:-1] for value in _loaded(line)]
    if not values or len(values) < len(lines) - 1:
        raise BadOption(f"{path}: is not JSON: {whole}", "was the file cut off?") from whole
    last = list(_loaded(lines[-1]))
    notes = () if last else ("the last line is cut off and was left out",)
    return Content(value=_shallow(path, values + last), notes=notes)


def _shallow(path: Path, value: Any) -> Any:
    """The value itself, if it is not nested so deeply that walking through it would fail."""
    level = [value]
    for _ in range(_DEEPEST):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return value
    raise _too_deep(path)


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _too_deep(path: Path) -> BadOption:
    return BadOption(f"{path}: JSON that is nested too deeply", "is it the right file?")


def _holds_more(value: object) -> bool:
    """Whether it is an object, or a list of them: numbers under a wrapper's name are data."""
    if isinstance(value, list):
        return bool(value) and all(isinstance(item, dict) for item in value)
    return isinstance(value, dict)


def _loaded(line: str) -> Iterator[Any]:
    try:
        yield json.loads(line)
    except (ValueError, RecursionError):
        return
