"""Readers: one file format a file. Each recognises by content, and runs nothing it reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rnndiag import registry
from rnndiag.checkpoints import _archives, _unknown
from rnndiag.checkpoints._torch import parts
from rnndiag.checkpoints.base import has_architecture
from rnndiag.errors import RnndiagError, UnreadableCheckpoint
from rnndiag.records import Checkpoint

_HEAD_BYTES = 512


def read(path: Path, architecture: str | None = None) -> Checkpoint:
    """Read a checkpoint, which may stand in an archive: ``ARCHIVE::MEMBER``.

    `architecture` is a JSON file with the configuration that the weights came without.
    Raises `UnreadableCheckpoint` where the file is missing, empty or unknown, or damaged, and
    `BadOption` where the architecture is not of these weights, or they need none.
    """
    place = _archives.place(path)
    try:
        checkpoint = _read(place, architecture)
    except RnndiagError as error:
        raise _archives.as_named(error, place, path) from error
    return replace(checkpoint, path=path)


def may_be_index(path: Path) -> bool:
    """Whether a JSON file may be the index of a checkpoint in shards, which is one, too."""
    return _unknown.is_index(path)


def _read(path: Path, architecture: str | None) -> Checkpoint:
    """Read a file with the first reader that recognises its content."""
    head = _head(path)
    if _unknown.is_text(path, head):
        # Said at once: the readers wait for torch and h5py.
        raise _unknown.refusal(path, head)
    # PyTorch's readers come first: those of Keras wait for h5py.
    for reader in registry.each(__name__):
        if reader.recognises(path, head):
            checkpoint: Checkpoint
            if architecture is None:
                checkpoint = reader.read(path)
            elif hasattr(reader, "read_with"):
                checkpoint = reader.read_with(path, Path(architecture))
            else:
                raise has_architecture(path)
            return checkpoint
    if path.is_dir():
        raise UnreadableCheckpoint(
            f"{path}: a directory, not a checkpoint file",
            parts.hint_for(path) or "name one file inside it",
        )
    raise _unknown.refusal(path, head)


def _head(path: Path) -> bytes:
    """The first bytes of a regular, non-empty file; none of a folder."""
    if not path.exists():
        raise UnreadableCheckpoint(f"{path}: no such file", "check the path")
    if path.is_dir():
        return b""
    if not path.is_file():
        told = f"{path}: is a pipe or a device, which cannot be read from place to place"
        raise UnreadableCheckpoint(told, "write what comes out of it to a file")
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise UnreadableCheckpoint(f"{path}: cannot be opened: {error.strerror}") from error
    if not head:
        raise UnreadableCheckpoint(f"{path}: the file is empty", "was the save interrupted?")
    return head
