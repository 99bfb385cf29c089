"""Damaged heaps of variable-length strings, on which HDF5 itself would never end.

A global heap is a row of objects, each with its size; free space is an object with the index 0,
and the library steps over it by that size. Where the size is 0 it steps for ever, deep in C,
where nothing interrupts it; so heaps are walked here first. Layout: HDF5 file format
specification, III.E "Disk Format: Level 1E - Global Heap".
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

from rnndiag import mapping
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
    if path.stat().st_size >= _HEADER:
        check_heaps_in(mapping.mapped(path), path)


def check_heaps_in(content: bytes | mmap.mmap, path: Path, start: int = 0, size: int = -1) -> None:
    """The same of content that was read from `path`, or of the part of it that begins there."""
    end = len(content) if size < 0 else start + size
    # Heaps that overlap would make this walk long, and no sound file has them.
    left = (end - start) // _HEADER
    for place in _signatures(content, start, end):
        left -= _objects(content, place, end, path, left)


def _signatures(content: bytes | mmap.mmap, start: int, end: int) -> Iterator[int]:
    """Where heaps begin; of a mapped file, no more than a block is in memory at a time."""
    for first in range(start, end, mapping.BLOCK):
        last = min(first + mapping.BLOCK + len(_SIGNATURE) - 1, end)
        place = content.find(_SIGNATURE, first, last)
        while place >= 0:
            yield place
            place = content.find(_SIGNATURE, place + 1, last)
        mapping.let_go()


def _objects(content: bytes | mmap.mmap, start: int, last: int, path: Path, most: int) -> int:
    """How many objects the heap at `start` has, in content that ends at `last`."""
    if start + _HEADER > last:
        return 0
    (size,) = _SIZE.unpack_from(content, start)
    end = min(start + size, last)
    place, count = start + _HEADER, 0
    while place + _HEADER <= end:
        index, length = _OBJECT.unpack_from(content, place)
        if count == most or (index == 0 and length < _HEADER):
            raise damaged(path, f"HDF5's heap at byte {start} has no end")
        place += length if index == 0 else _HEADER + -(-length // 8) * 8
        count += 1
    return count
