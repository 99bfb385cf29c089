"""A short string attribute, read without the library.

HDF5 takes as much memory for a string as the file says it is long, up to 4 GiB, before it looks
whether the string is there. So where a name is nice to have and no more, it is read here, and is
None unless it stands as h5py writes it: in an object header of version 1, as a scalar string of
variable length in a global heap. Layout: HDF5 file format specification, IV.A "Object Headers".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

import h5py

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
_VARIABLE_STRING = 0x19, 0x01
"""The first bytes of a type: version 1 and class 9, and what it is made of."""


def short_text(file: BinaryIO, item: h5py.Group, name: str) -> str | None:
    """The attribute `name` of a group, whose file's bytes are `file`; None where it is not so."""
    try:
        for data in _attributes(file, h5py.h5o.get_info(item.id).addr, name.encode()):
            return _string(file, *_STRING.unpack(data))
    except (struct.error, OSError, OverflowError, ValueError):
        return None
    return None


def _attributes(file: BinaryIO, address: int, name: bytes) -> Iterator[bytes]:
    """What the string attributes of this name point to, in an object header's messages."""
    version, _, _, size = _HEADER.unpack(_read(file, address, _HEADER.size))
    blocks = [(address + _HEADER.size, size)] if version == 1 else []
    for _ in range(_MOST_BLOCKS):
        if not blocks:
            return
        for kind, data in _messages(_read(file, *blocks.pop())):
            if kind == _CONTINUES:
                blocks.append(struct.unpack_from("<QQ", data))
            elif kind == _IS_ATTRIBUTE:
                yield from _named(data, name)


def _messages(block: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place + _MESSAGE.size <= len(block):
        kind, size, _ = _MESSAGE.unpack_from(block, place)
        place += _MESSAGE.size
        yield kind, block[place : place + size]
        place += size


def _named(data: bytes, name: bytes) -> Iterator[bytes]:
    """The value of an attribute, if that is its name and a string its type."""
    version, *sizes = _ATTRIBUTE.unpack_from(data)
    # Each part is padded to 8 bytes.
    ends = [_ATTRIBUTE.size]
    for size in sizes:
        ends.append(ends[-1] + -(-size // 8) * 8)
    kind = data[ends[1] : ends[1] + 2]
    called = data[ends[0] : ends[1]].split(b"\0")[0]
    if version == 1 and called == name and tuple(kind) == _VARIABLE_STRING:
        yield data[ends[3] : ends[3] + _STRING.size]


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
