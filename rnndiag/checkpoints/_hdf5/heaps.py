"""Damaged heaps of variable-length strings, on which HDF5 itself would never end.

A global heap is a row of objects, each with its size; free space is an object with the index 0,
and the library steps over it by that size. Where the size is 0 it steps for ever, deep in C,
where nothing interrupts it; so heaps are walked here first. Layout: HDF5 file format
specification, III.E "Disk Format: Level 1E - Global Heap".
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

from rnndiag.checkpoints.base import damaged

_SIGNATURE = b"GCOL\x01"
"""With the version, of which there is one."""
_HEADER = 16
"""Bytes of a heap's header, and of an object's."""
_OBJECT = struct.Struct("<H6xQ")
"""Index and size of an object."""
_SIZE = struct.Struct("<8xQ")


def check_heaps(path: Path) -> None:
    """Raise `UnreadableCheckpoint` where a file holds a heap that has no end."""
    with path.open("rb") as file:
        if path.stat().st_size < _HEADER:
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            check_heaps_in(content, path)


def check_heaps_in(content: bytes | mmap.mmap, path: Path) -> None:
    """The same of content that was read from `path`."""
    # Heaps that overlap would make this walk long, and no sound file has them.
    left = len(content) // _HEADER
    start = content.find(_SIGNATURE)
    while start >= 0:
        left -= _objects(content, start, path, left)
        start = content.find(_SIGNATURE, start + 1)


def _objects(content: bytes | mmap.mmap, start: int, path: Path, most: int) -> int:
    """How many objects the heap at `start` has."""
    if start + _HEADER > len(content):
        return 0
    (size,) = _SIZE.unpack_from(content, start)
    end = min(start + size, len(content))
    place, count = start + _HEADER, 0
    while place + _HEADER <= end:
        index, length = _OBJECT.unpack_from(content, place)
        if count == most or (index == 0 and length < _HEADER):
            raise damaged(path, f"HDF5's heap at byte {start} has no end")
        place += length if index == 0 else _HEADER + -(-length // 8) * 8
        count += 1
    return count
