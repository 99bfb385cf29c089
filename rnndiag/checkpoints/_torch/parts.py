"""The files that a checkpoint of several is made of: in its own folder, and nowhere else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from rnndiag.checkpoints._archives.zip_members import leads_out
from rnndiag.checkpoints._pickles.objects import shown
from rnndiag.checkpoints.base import sha256
from rnndiag.errors import UnreadableCheckpoint, UnsafeCheckpoint


def part(index: Path, name: str) -> Path:
    """The file that `index` calls `name`, beside it.

    A link may lead to where the index itself is linked from: caches keep all files of a model
    in one folder, and link to them. Raises `UnsafeCheckpoint` for what leads anywhere else,
    and `UnreadableCheckpoint` where there is no such file.
    """
    if leads_out(name) or "\0" in name:
        raise _unsafe(index, name)
    path = index.parent / name
    if not path.is_file():
        raise UnreadableCheckpoint(
            f"{index}: the file {shown(name)!r}, which it names, is missing",
            "copy the whole folder",
        )
    allowed = (index.parent.resolve(), index.resolve().parent)
    if not any(path.resolve().is_relative_to(folder) for folder in allowed):
        raise _unsafe(index, name)
    return path


def digest(paths: Iterable[Path]) -> str:
    """The SHA-256 of the files' own ones, in hexadecimal."""
    whole = hashlib.sha256()
    for path in paths:
        whole.update(bytes.fromhex(sha256(path)))
    return whole.hexdigest()


def size(paths: Iterable[Path]) -> int:
    """Bytes of all files together."""
    return sum(path.stat().st_size for path in paths)


def _unsafe(index: Path, name: str) -> UnsafeCheckpoint:
    return UnsafeCheckpoint(
        f"{index}: it names {shown(name)!r}, which is not in its folder",
        "copy all files of the checkpoint into one folder, if you trust it",
    )
