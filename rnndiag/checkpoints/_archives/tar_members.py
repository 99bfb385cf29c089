"""Tar archives, plain or packed, as a stream: names and sizes, and the content of one member.

Python's `tarfile` reads a header of any declared size into memory, and lists of sparse pieces
without end. Of what the format can do, a checkpoint needs regular files with long names.
"""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_BLOCK = 512
_CHUNK = 1 << 20
_DIGITS = 9
"""Of a record's length, with the space behind them."""
_LONGEST_NAME = 1 << 16
"""Bytes of a header that holds a long name."""
_MOST_HEADERS, _MOST_RECORDS = 8, 1000
"""Headers before a member's own, and records in one of them; writers use a few."""
_REGULAR = (b"0", b"\0", b"7")
_LONG_NAME, _EXTENDED = b"L", b"x"
_SKIPPED = (b"K", b"g")
"""Long names of what links point at, and headers for all members."""
_UNPACKERS: dict[bytes, Callable[[Path], IO[bytes]]] = {
    b"\x1f\x8b": gzip.open,  # type: ignore[dict-item]  # it opens bytes by default
    b"BZh": bz2.open,
}


_NOT_UNPACKED = (b"\xfd7zX", b"\x28\xb5\x2f\xfd")
"""How archives begin whose headers choose how much memory it takes to unpack them."""


class BrokenTar(ValueError):
    """The archive breaks off or makes no sense."""


class TooLong(ValueError):
    """The archive unpacks to more than it may."""


@dataclass(frozen=True, kw_only=True)
class TarMember:
    """One entry."""

    name: str
    size: int
    regular: bool
    """Whether it is a file with its content in the archive: no link, folder or device."""


class TarStream:
    """The members of an archive in their order; `most` bytes are unpacked at the most."""

    def __init__(self, path: Path, most: int) -> None:
        with path.open("rb") as file:
            head = file.read(4)
        if head in _NOT_UNPACKED:
            raise BrokenTar("it is packed by xz or zstd; rnndiag unpacks gzip, bzip2 and zip")
        found = (opens for magic, opens in _UNPACKERS.items() if head.startswith(magic))
        self._file = next(found, lambda path: path.open("rb"))(path)
        self._left = most
        self._unread = 0

    def __enter__(self) -> TarStream:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[TarMember]:
        """Each member; its content can be read until the next is asked for.

        Raises `BrokenTar` and `TooLong`.
        """
        told: dict[str, str] = {}
        headers = 0
        while (header := self._exactly(_BLOCK)).strip(b"\0"):
            kind, size = header[156:157], _size(header)
            if kind in (_LONG_NAME, _EXTENDED, *_SKIPPED):
                told |= self._told(kind, size)
                headers += 1
                if headers > _MOST_HEADERS:
                    raise BrokenTar("one member has more headers than any writer makes")
                continue
            size = int(told.get("size", size))
            sparse = any(key.startswith("GNU.sparse") for key in told)
            self._unread = size
            yield TarMember(
                name=told.get("path", _name(header)),
                size=size,
                regular=kind in _REGULAR and not sparse,
            )
            self._skip(self._unread + -size % _BLOCK)
            told, headers = {}, 0

    def content(self) -> Iterator[bytes]:
        """The content of the member that was told last, in pieces."""
        while self._unread:
            yield self._read(min(self._unread, _CHUNK))

    def _told(self, kind: bytes, size: int) -> dict[str, str]:
        """What a header in front of a member's own says of it."""
        if size > _LONGEST_NAME:
            raise BrokenTar("a header is longer than any name")
        content = self._exactly(size)
        self._skip(-size % _BLOCK)
        if kind == _LONG_NAME:
            return {"path": _text(content)}
        return dict(_records(content)) if kind == _EXTENDED else {}

    def _read(self, size: int) -> bytes:
        """Up to `size` bytes, at least one."""
        piece = self._file.read(size)
        if not piece:
            raise BrokenTar("it breaks off")
        self._left -= len(piece)
        if self._left < 0:
            raise TooLong
        self._unread = max(self._unread - len(piece), 0)
        return piece

    def _exactly(self, size: int) -> bytes:
        pieces = b""
        while len(pieces) < size:
            pieces += self._read(size - len(pieces))
        return pieces

    def _skip(self, size: int) -> None:
        while size:
            size -= len(self._read(min(size, _CHUNK)))


def _size(header: bytes) -> int:
    """The size in a header whose checksum is right; raises `BrokenTar`."""
    summed = sum(header) - sum(header[148:156]) + 8 * ord(" ")
    if _number(header[148:156]) != summed:
        raise BrokenTar("it is no tar archive, or a header is damaged")
    return _number(header[124:136])


def _number(field: bytes) -> int:
    """Octal digits; or, for large numbers, bytes after one with its first bit set."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    try:
        return int(field.strip(b" \0") or b"0", 8)
    except ValueError:
        raise BrokenTar("a number in a header is damaged") from None


def _name(header: bytes) -> str:
    name, prefix = _text(header[:100]), _text(header[345:500])
    return f"{prefix}/{name}" if prefix and header[257:263] == b"ustar\0" else name


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def _records(content: bytes) -> Iterator[tuple[str, str]]:
    """The records of an extended header: a length, a key, ``=`` and a value each."""
    place = 0
    for _ in range(_MOST_RECORDS + 1):
        if place == len(content):
            return
        space = content.find(b" ", place, place + _DIGITS)
        digits = content[place : max(space, place)]
        end = place + int(digits) if digits.isdigit() else -1
        if not space < end <= len(content):
            raise BrokenTar("an extended header is damaged")
        key, _, value = content[space + 1 : end - 1].partition(b"=")
        if key == b"size" and not value.isdigit():
            raise BrokenTar("the size in an extended header is damaged")
        yield _text(key), _text(value)
        place = end
    raise BrokenTar(f"an extended header has more than {_MOST_RECORDS} records")
