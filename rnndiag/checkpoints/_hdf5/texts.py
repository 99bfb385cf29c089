"""Attributes that are strings, looked at without the library.

HDF5 takes as much memory for a string as the file says it is long, up to 4 GiB, before it looks
whether the string is there. So lengths are checked here before the library reads any. Where a
name is nice to have and no more, it is read here altogether, and is None unless it stands as
h5py writes it: in an object header of version 1, as a scalar string of variable length in a
global heap. Layout: HDF5 file format specification, IV.A "Object Headers".
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import h5py

from rnndiag.checkpoints._hdf5.walk import objects
from rnndiag.errors import UnsafeCheckpoint

_LONGEST = 1024
"""Bytes of a name."""
_LARGEST_BLOCK, _MOST_BLOCKS = 1 << 20, 64
"""Bytes of a part of a header, and parts of one header."""
_MOST_OBJECTS = 4096
"""Of a heap, that are looked at."""
_HEADER = struct.Struct("<BxHII4x")
"""Version, number of messages, references, bytes of messages."""
_MESSAGE = struct.Struct("<HHB3x")
"""Type, size, flags."""
_ATTRIBUTE = struct.Struct("<BxHHH")
"""Version, sizes of name, type and dataspace."""
_STRING = struct.Struct("<IQI")
"""Length, and the heap and index where it lies."""
_HEAP = struct.Struct("<4sB3xQ")
"""Signature, version, size."""
_OBJECT = struct.Struct("<HHIQ")
"""Index, references, nothing, size."""
_IS_ATTRIBUTE, _CONTINUES = 0x0C, 0x10
_VARIABLE = 9
"""The class of types of variable length, strings among them."""


def check_strings(file: h5py.File, raw: BinaryIO, path: Path) -> None:
    """Raise `UnsafeCheckpoint` where the strings of an attribute are longer than the file.

    `raw` are the bytes of the same file. Of headers of version 2, which neither h5py nor Keras
    writes unless it is told to, nothing is known here.
    """
    size = raw.seek(0, io.SEEK_END)

    groups = (item for _, item in objects(file) if isinstance(item, h5py.Group))
    for item in chain([file], groups):
        if _longest(raw, item) > size:
            raise UnsafeCheckpoint(
                f"{path}: {item.name}: an attribute claims to be longer than the file",
                "the file is damaged, or made to exhaust memory",
            )


def _longest(raw: BinaryIO, item: h5py.Group) -> int:
    """Bytes of the strings that one attribute of a group claims to have."""
    try:
        header = _attributes(raw, h5py.h5o.get_info(item.id).addr)
        return max((_claimed(data) for _, kind, data in header if kind == _VARIABLE), default=0)
    except (struct.error, OSError, OverflowError, ValueError):
        return 0


def _claimed(data: bytes) -> int:
    whole = len(data) // _STRING.size * _STRING.size
    return sum(length for length, _, _ in _STRING.iter_unpack(data[:whole]))


def short_text(file: BinaryIO, item: h5py.Group, name: str) -> str | None:
    """The attribute `name` of a group, whose file's bytes are `file`; None where it is not so."""
    try:
        for called, kind, data in _attributes(file, h5py.h5o.get_info(item.id).addr):
            if called == name.encode() and kind == _VARIABLE:
                return _string(file, *_STRING.unpack(data[: _STRING.size]))
    except (struct.error, OSError, OverflowError, ValueError):
        return None
    return None


def _attributes(file: BinaryIO, address: int) -> Iterator[tuple[bytes, int, bytes]]:
    """Name, class of the type, and value of the attributes in an object header's messages."""
    version, _, _, size = _HEADER.unpack(_read(file, address, _HEADER.size))
    blocks = [(address + _HEADER.size, size)] if version == 1 else []
    for _ in range(_MOST_BLOCKS):
        if not blocks:
            return
        for kind, data in _messages(_read(file, *blocks.pop())):
            if kind == _CONTINUES:
                blocks.append(struct.unpack_from("<QQ", data))
            elif kind == _IS_ATTRIBUTE:
                yield from _parts(data)


def _messages(block: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place + _MESSAGE.size <= len(block):
        kind, size, _ = _MESSAGE.unpack_from(block, place)
        place += _MESSAGE.size
        yield kind, block[place : place + size]
        place += size


def _parts(data: bytes) -> Iterator[tuple[bytes, int, bytes]]:
    version, *sizes = _ATTRIBUTE.unpack_from(data)
    # Each part is padded to 8 bytes.
    ends = [_ATTRIBUTE.size]
    for size in sizes:
        ends.append(ends[-1] + -(-size // 8) * 8)
    if version == 1 and ends[3] <= len(data):
        name = data[ends[0] : ends[1]].split(b"\0")[0]
        yield name, data[ends[1]] & 0x0F, data[ends[3] :]


def _string(file: BinaryIO, length: int, heap: int, index: int) -> str | None:
    """The object of a global heap."""
    signature, version, size = _HEAP.unpack(_read(file, heap, _HEAP.size))
    if (signature, version) != (b"GCOL", 1) or length > _LONGEST:
        return None
    place, end = heap + _HEAP.size, heap + size
    for _ in range(_MOST_OBJECTS):
        if place + _OBJECT.size > end:
            return None
        own, _, _, stored = _OBJECT.unpack(_read(file, place, _OBJECT.size))
        if own == index:
            return _read(file, place + _OBJECT.size, length).decode() if length <= stored else None
        if own == 0:
            return None
        place += _OBJECT.size + -(-stored // 8) * 8
    return None


def _read(file: BinaryIO, place: int, size: int) -> bytes:
    file.seek(place)
    return file.read(min(size, _LARGEST_BLOCK))
