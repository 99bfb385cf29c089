"""The files of torch.save before 1.6: pickles in a row, and the storages' numbers behind them."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import Any

import torch

from rnndiag.checkpoints._pickles.objects import BrokenPickle, shown
from rnndiag.checkpoints._torch.rebuild import Storage, Tensors
from rnndiag.checkpoints._torch.zip import from_buffer, mapped

_MAGIC = 0x1950A86A20F9469CFC6C
_COUNT = struct.Struct("<q")
"""The length of each storage, in numbers, before them."""


def unpickled(path: Path, tensors: Tensors) -> Any:
    """What the file holds; its numbers are mapped, and read when they are used.

    Raises `BrokenPickle`.
    """
    content = mapped(path)
    run = tensors.machine.run
    magic, _, system = run(content), run(content), run(content)
    if magic != _MAGIC:
        raise BrokenPickle("its magic number is another one")
    if isinstance(system, dict) and system.get("little_endian") is False:
        raise BrokenPickle("its numbers are stored with the largest byte first")
    found = run(content)
    places = _places(content, run(content), tensors.storages)
    tensors.bind(lambda storage: _storage(content, storage, places))
    return found


def _places(file: mmap.mmap, keys: Any, storages: dict[str, Storage]) -> dict[str, int]:
    """Where each storage's numbers begin; raises `BrokenPickle` where they are not all there."""
    if not isinstance(keys, list):
        raise BrokenPickle("its storages are not listed")
    places: dict[str, int] = {}
    for key in keys:
        storage = storages.get(key) if isinstance(key, str) else None
        if storage is None:
            raise BrokenPickle("numbers follow that no tensor has")
        head = file.read(_COUNT.size)
        place = file.tell()
        if len(head) < _COUNT.size or _COUNT.unpack(head) != (storage.numel,):
            raise BrokenPickle(f"storage {shown(key)!r} has another length than declared")
        if place + storage.nbytes > len(file):
            raise BrokenPickle(f"storage {shown(key)!r} breaks off")
        places[key] = place
        file.seek(place + storage.nbytes)
    return places


def _storage(content: mmap.mmap, storage: Storage, places: dict[str, int]) -> torch.UntypedStorage:
    if storage.key not in places:
        raise BrokenPickle(f"storage {shown(storage.key)!r} is missing")
    return from_buffer(content, places[storage.key], storage.nbytes)
