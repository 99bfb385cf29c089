"""Readers: one file format a file. Each recognises by content, and runs nothing it reads."""

from __future__ import annotations

from pathlib import Path

from rnndiag import registry
from rnndiag.errors import UnreadableCheckpoint
from rnndiag.records import Checkpoint

_HEAD_BYTES = 512


def read(path: Path) -> Checkpoint:
    """Read a checkpoint with the first reader that recognises its content.

    Raises `UnreadableCheckpoint` where the file is missing, empty or unknown, or damaged.
    """
    head = _head(path)
    for reader in registry.modules(__name__).values():
        if reader.recognises(path, head):
            checkpoint: Checkpoint = reader.read(path)
            return checkpoint
    raise UnreadableCheckpoint(
        f"{path}: not a checkpoint: the content is neither HDF5, nor a PyTorch file, "
        "nor safetensors",
        "rnndiag looks at the content, not at the name; "
        "was the file saved with model.save() or torch.save()?",
    )


def _head(path: Path) -> bytes:
    """The first bytes of a regular, non-empty file."""
    if not path.exists():
        raise UnreadableCheckpoint(f"{path}: no such file", "check the path")
    if path.is_dir():
        raise UnreadableCheckpoint(
            f"{path}: a directory, not a checkpoint file", "name one file inside it"
        )
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise UnreadableCheckpoint(f"{path}: cannot be opened: {error.strerror}") from error
    if not head:
        raise UnreadableCheckpoint(f"{path}: the file is empty", "was the save interrupted?")
    return head
