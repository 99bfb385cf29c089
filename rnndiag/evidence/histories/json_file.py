"""JSON: the dictionary of lists of a Keras History, records of epochs, and JSON lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rnndiag.errors import BadOption
from rnndiag.evidence import json_records, tabular
from rnndiag.evidence.histories.base import begins_like_json, looks_like_text

_WRAPPERS = ("history", "log_history", "logs", "metrics", "records", "epochs")
"""Keys under which the losses stand; ``log_history`` is that of Hugging Face's trainer."""


def recognises(path: Path, head: bytes) -> bool:
    """Text that opens with a bracket or a brace."""
    return path.is_file() and looks_like_text(head) and begins_like_json(head)


def read(path: Path) -> tabular.Table:
    """Rows, whichever way round the file has them."""
    content = json_records.load(path, tabular.text_of(path))
    value = json_records.unwrapped(content.value, _WRAPPERS)
    lists = dict(_lists(value)) if isinstance(value, dict) else {}
    if lists:
        return _across(lists)
    table = json_records.records(json_records.Content(value=value, notes=content.notes))
    if not table.columns:
        told = 'a history looks like {"loss": [1.2, 0.8], "val_loss": [1.3, 1.0]}'
        raise BadOption(f"{path}: JSON without a table of losses", told)
    return table


def _lists(value: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, list[Any]]]:
    """Each list of cells by the path to it; pandas writes a list as an object with indices."""
    for name, inner in value.items():
        if isinstance(inner, dict) and inner and all(key.isdecimal() for key in inner):
            inner = [inner[key] for key in sorted(inner, key=int)]
        if isinstance(inner, dict):
            yield from _lists(inner, f"{path}{name}/")
        elif isinstance(inner, list) and not any(isinstance(x, (list, dict)) for x in inner):
            yield f"{path}{name}", inner


def _across(lists: Mapping[str, Sequence[Any]]) -> tabular.Table:
    """Rows of columns that may differ in length."""
    # Other things, such as the learning rate of each batch, must not stretch the losses.
    losses = [values for name, values in lists.items() if "loss" in tabular.words(name)]
    length = max(map(len, losses or lists.values()))
    placed: dict[str, Mapping[int, Any]] = {}
    notes = []
    for name, values in lists.items():
        if not 0 < len(values) <= length:
            continue
        every, told = _stride(len(values), length)
        placed[name] = {(place + 1) * every - 1: cell for place, cell in enumerate(values)}
        if len(values) < length:
            notes.append(f"{name} has {len(values)} entries for {length}: taken as {told}")
    rows = (
        {name: cells[place] for name, cells in placed.items() if place in cells}
        for place in range(length)
    )
    return tabular.Table(columns=tuple(placed), rows=tuple(rows), notes=tuple(notes))


def _stride(count: int, length: int) -> tuple[int, str]:
    """How far apart `count` entries stand among `length`, and that in words.

    Keras validates after every n-th epoch where ``validation_freq=n``, and lists only those.
    """
    every = length // count
    if every > 1 and length // every == count:
        return every, f"every {every} epochs"
    return 1, f"the first {count}"
