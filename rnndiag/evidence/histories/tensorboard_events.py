"""TensorBoard event files, one or a folder of them; read by the `tensorboard` package."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from rnndiag.errors import BadOption
from rnndiag.evidence import tabular
from rnndiag.evidence.histories._columns import VALIDATION_OR_TRAIN

_MARK = b"brain.Event:"
"""Of the version, which is the first event of a file."""
_HEAD_BYTES = 64


def recognises(path: Path, head: bytes) -> bool:
    """The version in a file's first event; every folder, as no other reader takes one."""
    return path.is_dir() or _MARK in head[:_HEAD_BYTES]


def read(path: Path) -> tabular.Table:
    """A row for each step, a column for each scalar: its tag below the folder of its file."""
    files = [path] if path.is_file() else _event_files(path)
    if not files:
        raise BadOption(f"{path}: a folder without TensorBoard event files", "name a file in it")
    top = Path(os.path.commonpath([file.parent for file in files]))
    rows = [row for file in files for row in _rows(file, _prefix(file, top))]
    columns = dict.fromkeys(name for row in rows for name in row)
    return tabular.Table(columns=tuple(columns), rows=tuple(rows))


def _event_files(folder: Path) -> list[Path]:
    """Every event file below; by name, which holds the time at which each was opened."""
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and _is_event_file(path)]


def _is_event_file(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return _MARK in file.read(_HEAD_BYTES)
    except OSError:
        return False


def _prefix(file: Path, top: Path) -> str:
    """What the folders tell of a file: Keras writes into ``train`` and ``validation``."""
    parts = file.parent.relative_to(top).parts
    if top.name.lower() in VALIDATION_OR_TRAIN:
        parts = (top.name, *parts)
    return "".join(f"{part}/" for part in parts)


def _rows(file: Path, prefix: str) -> Iterator[tabular.Row]:
    """The scalars of one file; those of one step that follow each other share a row."""
    row: dict[str, object] = {}
    for step, tag, value in _scalars(file):
        # Keras counts epochs in the steps of what it calls epoch_loss.
        axis = "epoch" if tag.rsplit("/", 1)[-1].startswith("epoch_") else "step"
        name = prefix + tag
        if row and (row.get(axis) != step or name in row):
            yield row
            row = {}
        row[axis], row[name] = step, value
    if row:
        yield row


def _scalars(file: Path) -> Iterator[tuple[int, str, float]]:
    """Step, tag and value of every scalar, in the order in which they were written."""
    loader, tensors, failures = _package(
        "tensorboard.backend.event_processing.event_file_loader",
        "tensorboard.util.tensor_util",
        "google.protobuf.message",
    )
    try:
        for event in loader.EventFileLoader(str(file)).Load():
            for value in event.summary.value:
                number = _scalar(value, tensors)
                if number is not None:
                    yield event.step, value.tag, number
    except (failures.DecodeError, OSError) as error:
        raise BadOption(f"{file}: a damaged event file: {error}", "copy it again") from error


def _scalar(value: Any, tensors: ModuleType) -> float | None:
    """The number in a summary; None for pictures, histograms and texts."""
    if not value.HasField("tensor"):
        return None
    array = tensors.make_ndarray(value.tensor)
    return float(array.item()) if array.size == 1 and array.dtype.kind in "fiu" else None


def _package(*names: str) -> Sequence[ModuleType]:
    try:
        return [importlib.import_module(name) for name in names]
    except ImportError as error:
        raise BadOption(
            f"TensorBoard event files need the package tensorboard ({error})",
            "pip install tensorboard, or write the losses as CSV",
        ) from error
