"""A ``.keras`` archive, or the folder that one was unpacked to: two JSON files and the weights."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import h5py

from rnndiag import mapping
from rnndiag.checkpoints import _links
from rnndiag.checkpoints._archives import zip_members
from rnndiag.checkpoints._hdf5 import BROKEN_HDF5
from rnndiag.checkpoints._hdf5.heaps import check_heaps_in
from rnndiag.checkpoints._keras.tree import Tree, opened_tree
from rnndiag.checkpoints.base import damaged, parse_json, sha256_of
from rnndiag.errors import UnsafeCheckpoint, UnsupportedCheckpoint

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_NPZ = "model.weights.npz"
_ZIP = b"PK\x03\x04"
_LARGEST_JSON = 16 << 20
"""Bytes; an architecture has some hundred kilobytes, those of the largest models a few million."""


def is_package(path: Path, head: bytes) -> bool:
    """Whether an archive or a folder has a model's configuration and metadata at its top."""
    if path.is_dir():
        return all((path / name).is_file() for name in (CONFIG, METADATA))
    return head.startswith(_ZIP) and {CONFIG, METADATA} <= zip_members.names(path)


def read_json(path: Path, name: str) -> Mapping[str, Any]:
    """One of the JSON members; raises `UnreadableCheckpoint` or `UnsafeCheckpoint`."""
    if path.is_dir():
        raw = _file(path, name).read_bytes()
    else:
        raw = zip_members.read(path, name, _LARGEST_JSON).getvalue()
    try:
        return parse_json(raw.decode("utf-8"), path, name)
    except UnicodeDecodeError as error:
        raise damaged(path, f"{name} is not UTF-8") from error


@contextmanager
def weights(path: Path) -> Iterator[Tree]:
    """The weights, open to be read; those that an archive has packed lie in memory meanwhile.

    Raises `UnreadableCheckpoint` where they are damaged or missing, `UnsafeCheckpoint` where the
    archive is made to do harm, and `UnsupportedCheckpoint` where they are of another kind.
    """
    _check_kind(path)
    if path.is_dir():
        with opened_tree(_file(path, WEIGHTS)) as tree:
            yield tree
        return
    content, start = _content(path)
    try:
        with h5py.File(content, "r") as file:
            yield Tree(file, content, path, start)
    except BROKEN_HDF5 as error:
        raise damaged(path, f"{WEIGHTS}: HDF5 says {error}") from error


def _content(path: Path) -> tuple[BinaryIO, int | None]:
    """An archive's weights, and where in it they begin; None where they had to be unpacked."""
    place = zip_members.mapped(path, WEIGHTS)
    if place is None:
        content = zip_members.read(path, WEIGHTS)
        check_heaps_in(content.getvalue(), path)
        return content, None
    window, start = place
    check_heaps_in(mapping.shared(path), path, start, window.seek(0, io.SEEK_END))
    return cast("BinaryIO", window), start


def size(path: Path) -> int:
    """Bytes of the archive, or of a folder's three files."""
    return sum(file.stat().st_size for file in _files(path))


def digest(path: Path) -> str:
    """The SHA-256 of the archive; of a folder, that of its three files' own SHA-256."""
    return sha256_of(_files(path))


def _check_kind(path: Path) -> None:
    """Raise where the weights are not in HDF5."""
    held = zip_members.names(path) if path.is_file() else {file.name for file in path.iterdir()}
    if WEIGHTS not in held and _NPZ in held:
        raise UnsupportedCheckpoint(
            f"{path}: its weights are in {_NPZ}, which holds pickled Python objects",
            f"load and save it with Keras, which writes {WEIGHTS}",
        )


def _file(folder: Path, name: str) -> Path:
    """A regular file of the folder, of no more bytes than are sensible."""
    file = folder / name
    if not file.is_file():
        raise damaged(folder, f"the folder has no file {name}")
    _links.check(folder, file)
    if name != WEIGHTS and file.stat().st_size > _LARGEST_JSON:
        raise UnsafeCheckpoint(
            f"{file}: larger than {_LARGEST_JSON >> 20} MiB, which no architecture is",
            "the file is damaged, or made to do harm",
        )
    return file


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return [_file(path, name) for name in (CONFIG, METADATA, WEIGHTS)]
