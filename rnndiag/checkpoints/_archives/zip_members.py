"""Members of a ZIP archive: read into memory, and never written to disk.

An archive of a few kilobytes can declare terabytes, hold a name twice so that two readers see
two files, or name places outside the folder that it is unpacked to. A checkpoint needs none of
this, so it is refused before anything is unpacked.
"""

from __future__ import annotations

import io
import os
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path, PurePosixPath, PureWindowsPath

from rnndiag import mapping, memory
from rnndiag.checkpoints.base import BROKEN_ZIP, damaged
from rnndiag.errors import UnreadableCheckpoint, UnsafeCheckpoint

_SMALL = 64 << 20
"""Bytes that a member may have however few of them are stored."""
_MOST_COMPRESSION = 100
"""How many times a member may be larger than what is stored; trained weights hardly shrink."""
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_LOCAL_HEADER = struct.Struct("<26xHH")
"""Of a member, whose name and extra field stand between it and the content."""
_CHUNK = 1 << 20
_LISTING = 20
"""Bytes that one of the list of members may become: 46 and a name make an object of each."""
_ENCRYPTED = 0x1
"""Bit of a member's flags."""


class _Listed(io.FileIO):
    """A file that asks for the memory that its list of members may take, before it is read."""

    listing = True

    def read(self, size: int | None = -1, /) -> bytes:
        """Up to `size` bytes; raises `TooLarge`."""
        if self.listing and size is not None:
            check_list(min(max(size, 0), os.fstat(self.fileno()).st_size))
        found = super().read(size)
        return b"" if found is None else found


def check_list(size: int) -> None:
    """Raise `TooLarge` where a list of members, which zipfile takes at once, is too long."""
    memory.check(_LISTING * size, "the list of its members")


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """An archive; raises what is in `BROKEN_ZIP`, and `TooLarge` where it has too many members."""
    with _Listed(path) as file, zipfile.ZipFile(file) as archive:
        file.listing = False
        yield archive


class Member(io.BytesIO):
    """A member's content; as text it is its place, which HDF5 takes for the file's name."""

    def __init__(self, place: str) -> None:
        super().__init__()
        self._place = place

    def __repr__(self) -> str:
        return self._place


def names(path: Path) -> frozenset[str]:
    """The archive's names; none where it is damaged."""
    try:
        found = path.stat()
        return _names(path, found.st_mtime_ns, found.st_size)
    except BROKEN_ZIP:
        return frozenset()


@lru_cache(maxsize=1)
def _names(path: Path, *_: int) -> frozenset[str]:
    """Remembered as long as the file stays as it is: every reader looks at them."""
    with opened(path) as archive:
        return frozenset(archive.namelist())


def read(path: Path, name: str, most: int | None = None) -> Member:
    """One member, of at most `most` bytes where that is given.

    Raises `UnsafeCheckpoint` where the archive is made to deceive or to exhaust memory, and
    `UnreadableCheckpoint` where it is damaged, encrypted or lacks the member.
    """
    with _found(path, name, most) as (archive, info):
        return _unpacked(path, archive, info)


def mapped(path: Path, name: str) -> tuple[mapping.Window, int] | None:
    """One member in its place, and where in the archive that is; None where it is packed.

    Its checksum is compared. Raises as `read`.
    """
    with _found(path, name) as (archive, info):
        if info.compress_type != zipfile.ZIP_STORED:
            return None
        read_through(archive, info)
        content = memoryview(mapping.shared(path))
        begin = start(info, content)
        if begin + info.file_size > len(content):
            raise zipfile.BadZipFile("it breaks off")
        part = content[begin : begin + info.file_size]
        return mapping.Window(part, f"{path}: {name}"), begin


def start(info: zipfile.ZipInfo, content: memoryview) -> int:
    """Where in an archive a member's content begins; raises `struct.error` if not in it."""
    name, extra = _LOCAL_HEADER.unpack_from(content, max(info.header_offset, 0))
    return info.header_offset + _LOCAL_HEADER.size + int(name) + int(extra)


def read_through(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Read a member to its end, which compares its checksum."""
    with archive.open(member) as content:
        while content.read(_CHUNK):
            pass


@contextmanager
def _found(
    path: Path, name: str, most: int | None = None
) -> Iterator[tuple[zipfile.ZipFile, zipfile.ZipInfo]]:
    """An open archive and a member of it that may be read."""
    try:
        with opened(path) as archive:
            _check_names(path, archive)
            info = archive.NameToInfo.get(name)
            if info is None:
                raise damaged(path, f"the archive has no {name}")
            _check_member(path, info, most)
            yield archive, info
    except BROKEN_ZIP as error:
        raise damaged(path, f"{name}: ZIP says {error}") from error


def _unpacked(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    # A buffer that grows is copied, and for a while there twice.
    memory.check(2 * info.file_size, f"unpacking {info.filename}")
    content = Member(f"{path}: {info.filename}")
    with archive.open(info) as member:
        # Piece by piece: a stream may unpack to more than its header admits.
        while piece := member.read(_CHUNK):
            content.write(piece)
    content.seek(0)
    return content


def _check_names(path: Path, archive: zipfile.ZipFile) -> None:
    seen: set[str] = set()
    for name in archive.namelist():
        if name in seen:
            raise _unsafe(path, f"it holds {name!r} twice")
        seen.add(name)
        if leads_out(name):
            raise _unsafe(path, f"its member {name!r} leads out of the archive")


def leads_out(name: str) -> bool:
    """Whether unpacking the name, on whichever system, may write outside the folder."""
    windows = PureWindowsPath(name)
    return PurePosixPath(name).is_absolute() or bool(windows.anchor) or ".." in windows.parts


def _check_member(path: Path, info: zipfile.ZipInfo, most: int | None) -> None:
    if info.flag_bits & _ENCRYPTED:
        raise UnreadableCheckpoint(
            f"{path}: {info.filename} is encrypted", "unpack the archive, and name the folder"
        )
    if info.compress_type not in _METHODS:
        raise UnreadableCheckpoint(
            f"{path}: {info.filename} is packed by method {info.compress_type}; "
            "rnndiag unpacks stored and deflated members",
            "unpack the archive, and name the folder",
        )
    if most is not None and info.file_size > most:
        size = f"{info.file_size / 2**20:.0f} MiB"
        raise _unsafe(path, f"{info.filename} claims {size}, more than {most >> 20} MiB")
    if info.file_size > max(_SMALL, _MOST_COMPRESSION * info.compress_size):
        raise _unsafe(
            path,
            f"{info.filename} claims {info.file_size / 2**30:.1f} GiB, "
            f"but the archive stores {info.compress_size} bytes of it",
        )


def _unsafe(path: Path, what: str) -> UnsafeCheckpoint:
    return UnsafeCheckpoint(f"{path}: {what}", "the file is damaged, or made to do harm")
