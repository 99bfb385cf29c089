"""HDF5 objects that lie in the file itself.

HDF5 follows links to other files, and storage in them, without a word, and a file of a few
kilobytes can declare terabytes. A checkpoint needs none of this, so it is refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from rnndiag import mapping, memory
from rnndiag.checkpoints._hdf5.heaps import check_heaps
from rnndiag.checkpoints._hdf5.storage import excess, is_elsewhere
from rnndiag.checkpoints.base import damaged
from rnndiag.errors import UnsafeCheckpoint
from rnndiag.records import Array

BROKEN_HDF5 = (OSError, RuntimeError, KeyError, TypeError, ValueError, OverflowError)
"""What h5py raises for damaged files."""
_LARGE = 1 << 20
"""Bytes of an array that is not read at once."""
_PLAIN_CLASSES = (h5py.h5t.STRING, h5py.h5t.INTEGER, h5py.h5t.FLOAT)


def opened(path: Path) -> h5py.File:
    """A file, open to be read; raises `UnreadableCheckpoint` where that would never end."""
    check_heaps(path)
    return h5py.File(path, "r")


def child(group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset:
    """The object at the path `name` below `group`, by hard links alone.

    Raises `UnsafeCheckpoint` where a link leads elsewhere, `KeyError` where there is none.
    """
    here = group
    for part in name.split("/"):
        if not part:
            raise UnsafeCheckpoint(
                f"{_place(group)}: the path {name!r} leads out of its group",
                "was the file edited by hand? save the model again",
            )
        if not isinstance(here, h5py.Group):
            raise KeyError(f"{here.name} is no group")
        link = here.get(part, getlink=True)
        if isinstance(link, (h5py.ExternalLink, h5py.SoftLink)):
            raise UnsafeCheckpoint(
                f"{_place(here)}: {part!r} is a link to {link.path!r}, which is not followed",
                "save the model again, into one file",
            )
        here = here[part]
    return here


def check_storage(dataset: h5py.Dataset) -> None:
    """Raise `UnsafeCheckpoint` where a dataset's numbers are not in the file."""
    if is_elsewhere(dataset):
        raise UnsafeCheckpoint(
            f"{_place(dataset)}: the array lies in another file, which is not opened",
            "save the model again, into one file",
        )
    claimed = excess(dataset)
    if claimed is not None:
        raise UnsafeCheckpoint(
            f"{_place(dataset)}: {claimed}", "the file is damaged, or made to exhaust memory"
        )


def attribute(item: h5py.HLObject, name: str) -> Any:
    """An attribute's value; raises `ValueError` where it is neither text nor numbers.

    A damaged type of variable length that is neither text nor a list is read by HDF5, up to
    2.0.0 at least, through a pointer that leads nowhere: the process would end.
    """
    held = h5py.h5a.open(item.id, name.encode())
    if held.get_type().get_class() not in _PLAIN_CLASSES:
        raise ValueError(f"the attribute {name} of {item.name} is neither text nor a number")
    return item.attrs[name]


def text(value: object) -> str:
    """An attribute as text; h5py gives str or bytes by who wrote it."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def strings(group: h5py.Group, name: str) -> tuple[str, ...]:
    """A list of names; lists over 64 KB are stored in numbered pieces."""
    if name in group.attrs:
        return tuple(text(value) for value in attribute(group, name))
    pieces: list[str] = []
    while f"{name}{len(pieces)}" in group.attrs:
        pieces.append(f"{name}{len(pieces)}")
    return tuple(text(value) for piece in pieces for value in attribute(group, piece))


def array(dataset: h5py.Dataset, path: Path, start: int | None = 0) -> Array:
    """Numbers as float32 or int64; raises where a dataset holds none, or not in the file.

    The HDF5 file begins in `path` at `start`; None where it is not there. Large arrays are mapped,
    and read when they are used.
    """
    if not isinstance(dataset, h5py.Dataset) or dataset.shape is None:
        raise damaged(path, f"{getattr(dataset, 'name', '?')} is not an array")
    # Before it is read: of strings, which are no numbers, it may claim any length.
    if dataset.dtype.kind not in "fiu" and dataset.dtype != np.dtype("V2"):
        raise damaged(path, f"{dataset.name} holds {dataset.dtype}, not numbers")
    check_storage(dataset)
    mapped = None if start is None else _mapped(dataset, path, start)
    if mapped is not None:
        return mapped
    memory.take(max(4 * dataset.size, dataset.nbytes), f"the array {dataset.name}")
    numbers = dataset[()]
    if numbers.dtype == np.dtype("V2"):
        # bfloat16 is the upper half of a float32.
        decoded: Array = (numbers.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
        return decoded
    return np.asarray(numbers, dtype=np.float32 if numbers.dtype.kind == "f" else np.int64)


def _mapped(dataset: h5py.Dataset, path: Path, start: int) -> Array | None:
    """A large array in its place; None where it does not stand there as it is used."""
    # None for pieces, and for what was never written.
    offset = dataset.id.get_offset()
    if dataset.nbytes < _LARGE or dataset.dtype != np.float32 or offset is None:
        return None
    content, place = mapping.shared(path), start + offset
    if place + dataset.nbytes > len(content):
        return None
    return np.frombuffer(content, np.float32, dataset.size, place).reshape(dataset.shape)


def _place(item: h5py.Group | h5py.Dataset) -> str:
    return f"{item.file.filename}: {item.name}"
