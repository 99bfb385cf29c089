"""The files that a checkpoint of several is made of: in its own folder, and nowhere else."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import TypeVar

from rnndiag.checkpoints import _links
from rnndiag.checkpoints._archives.zip_members import leads_out
from rnndiag.checkpoints._pickles.objects import shown
from rnndiag.checkpoints.base import sha256
from rnndiag.errors import UnreadableCheckpoint, UnsafeCheckpoint

T = TypeVar("T")
_ONE = re.compile(r"(?P<stem>.+)-(?P<own>\d{5})-of-(?P<of>\d{5})(?P<suffix>\.[a-z]+)")
"""Shards' names, as Transformers gives them."""


def part(index: Path, name: str) -> Path:
    """The file that `index` calls `name`, beside it.

    Links may lead where `_links` says. Raises `UnsafeCheckpoint` for what leads anywhere else,
    and `UnreadableCheckpoint` where there is no such file.
    """
    # Of one file there would be names without end: a.bin, ./a.bin, ././a.bin.
    if leads_out(name) or "\0" in name or name != PurePosixPath(name).as_posix():
        raise _unsafe(index, name)
    path = index.parent / name
    if not path.is_file():
        raise UnreadableCheckpoint(
            f"{index}: the file {shown(name)!r}, which it names, is missing",
            "copy the whole folder",
        )
    if not _links.leads_inside(index, path):
        raise _unsafe(index, name)
    return path


def identity(path: Path) -> tuple[int, int]:
    """What is the same for two names of one file."""
    found = path.stat()
    return found.st_dev, found.st_ino


def each_once(shards: Mapping[str, Path], read: Callable[[Path], T]) -> dict[str, T]:
    """What `read` finds in each shard; a file of several names is read once."""
    files = {identity(shard): shard for shard in shards.values()}
    found = {own: read(shard) for own, shard in files.items()}
    return {name: found[identity(shard)] for name, shard in shards.items()}


def notes_on_one(path: Path) -> tuple[str, ...]:
    """That a file, by its name, is one shard of several; nothing of any other."""
    name = _ONE.fullmatch(path.name)
    if name is None or int(name["of"]) < 2:
        return ()
    index = path.with_name(f"{name['stem']}{name['suffix']}.index.json")
    hint = (
        f"{index.name} beside it gives the whole"
        if index.is_file()
        else f"their index {index.name} is not beside it"
    )
    return (f"by its name shard {int(name['own'])} of {int(name['of'])} alone; {hint}",)


def hint_for(folder: Path) -> str:
    """What to try with a folder of shards that has no index; empty for any other."""
    names = sorted(own.name for own in folder.iterdir())
    shard = next(filter(None, map(_ONE.fullmatch, names)), None)
    if shard is None:
        return ""
    index = f"{shard['stem']}{shard['suffix']}.index.json"
    return f"its shards lack their index, {index}: copy it too, or name one shard for a part"


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
