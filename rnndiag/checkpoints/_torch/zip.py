"""Zip archives of torch.save and torch.jit: pickles, and each storage as a record of its own."""

from __future__ import annotations

import io
import mmap
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import torch

from rnndiag import mapping, memory
from rnndiag.checkpoints._archives import zip_members
from rnndiag.checkpoints._pickles.objects import BrokenPickle, shown
from rnndiag.checkpoints._torch.rebuild import Storage, Tensors
from rnndiag.checkpoints.base import BROKEN_ZIP, damaged
from rnndiag.errors import UnsafeCheckpoint

_MOST_PICKLE = 256 << 20
"""Bytes of a pickle, whose tensors' numbers are elsewhere."""
_SMALL = 64 << 20
_MOST_COMPRESSION = 100
"""Packed members may unpack to `_SMALL` bytes together, or to so many times the file's size."""
_CHUNK = 1 << 20


class TorchArchive:
    """One archive, its checksums compared; numbers are mapped, and read when they are used.

    `part` is the map of a part of the file, if the archive is no more than that.
    """

    def __init__(self, path: Path, part: memoryview | None = None) -> None:
        self._path = path
        self._whole = part is None
        # One map for all: each holds a file descriptor, and there may be thousands of storages.
        self._content = memoryview(mapped(path)) if part is None else part
        try:
            with _opened(path, part) as archive:
                self._members = {info.filename: info for info in archive.infolist()}
                _check(path, archive, len(self._content))
        except BROKEN_ZIP as error:
            raise _broken(path, error) from error
        self._folder = _folder(path, self._members)
        orders = "byteorder" in self
        self._swapped = orders and self._bytes("byteorder", _CHUNK).strip() == b"big"

    def __contains__(self, record: str) -> bool:
        return self._name(record) in self._members

    def unpickled(self, record: str, tensors: Tensors, folder: str) -> Any:
        """What a pickle describes; its storages are records of `folder`.

        Raises `BrokenPickle`.
        """
        found = tensors.machine.run(io.BytesIO(self._bytes(record, _MOST_PICKLE)))
        tensors.bind(lambda storage: self._storage(storage, folder))
        return found

    def _bytes(self, record: str, most: int) -> bytes:
        """A short record; raises `BrokenPickle` where it is not there, or longer than `most`."""
        info = self._members.get(self._name(record))
        size = 0 if info is None else info.file_size
        if info is None or size > most:
            raise BrokenPickle(f"{record} has {size} bytes")
        memory.check(2 * size, f"reading its {record}")
        content, start = self._located(info)
        return bytes(content[start : start + size])

    def _name(self, record: str) -> str:
        return f"{self._folder}/{record}"

    def _storage(self, storage: Storage, folder: str) -> torch.UntypedStorage:
        """The numbers of a storage; raises `BrokenPickle` where they are not all there."""
        info = self._members.get(self._name(f"{folder}/{storage.key}"))
        stored = 0 if info is None else info.file_size
        if info is None or stored < storage.nbytes:
            raise BrokenPickle(
                f"storage {shown(storage.key)!r} declares {storage.nbytes} bytes, "
                f"but the file has {stored}"
            )
        found = from_buffer(*self._located(info), storage.nbytes)
        if self._swapped and storage.nbytes:
            # In memory of its own: what is changed in a map is lost when its pages are let go.
            found = found.clone()  # type: ignore[no-untyped-call]  # torch's gap
            found.byteswap(storage.dtype)
        return found

    def _located(self, info: zipfile.ZipInfo) -> tuple[memoryview | bytearray, int]:
        """What holds the content of a member, and where it begins."""
        if info.compress_type != zipfile.ZIP_STORED:
            if not self._whole:
                raise BrokenPickle("a record is packed")
            return bytearray(zip_members.read(self._path, info.filename).getbuffer()), 0
        try:
            return self._content, zip_members.start(info, self._content)
        except struct.error as error:
            raise BrokenPickle("a record is placed outside the file") from error


@contextmanager
def _opened(path: Path, part: memoryview | None) -> Iterator[zipfile.ZipFile]:
    if part is None:
        with zip_members.opened(path) as archive:
            yield archive
        return
    window = _Listed(part)
    with zipfile.ZipFile(window) as archive:
        window.listing = False
        yield archive


class _Listed(mapping.Window):
    """Asks for the memory that the list of members may take, before it is read."""

    listing = True

    def readinto(self, buffer: Any) -> int:
        """As `Window` does; raises `TooLarge`."""
        if self.listing:
            zip_members.check_list(len(buffer))
        return super().readinto(buffer)


def mapped(path: Path) -> mmap.mmap:
    """As `mapping.mapped`; raises `BrokenPickle` for a pipe, and where there is no room."""
    try:
        return mapping.mapped(path)
    except (OSError, ValueError) as error:
        raise BrokenPickle(f"it cannot be mapped into memory ({error})") from error


def from_buffer(content: Any, start: int, size: int) -> torch.UntypedStorage:
    """Bytes of a buffer as a storage, which shares its memory; raises `BrokenPickle`."""
    if start + size > len(content):
        raise BrokenPickle("a storage reaches beyond the end of the file")
    if not size:
        return torch.empty(0).untyped_storage()
    return torch.frombuffer(content, dtype=torch.uint8, offset=start, count=size).untyped_storage()


def _folder(path: Path, names: Any) -> str:
    """The folder that holds everything: it is called after the file that was saved."""
    places = [PurePosixPath(name) for name in names]
    found = [place.parent for place in places if place.name == "data.pkl"]
    top = min(found, key=lambda place: len(place.parts), default=None)
    if top is None:
        raise damaged(path, "the archive has no data.pkl")
    return str(top)


def _check(path: Path, archive: zipfile.ZipFile, size: int) -> None:
    """Raise where members overlap or unpack to very much, or where a checksum is wrong."""
    members = archive.infolist()
    unpacked = sum(info.file_size for info in members if info.compress_type)
    if len({info.filename for info in members}) < len(members):
        raise UnsafeCheckpoint(f"{path}: the zip archive holds a name twice", _MADE_SO)
    if sum(info.compress_size for info in members) > size:
        raise UnsafeCheckpoint(f"{path}: the members of the zip archive overlap", _MADE_SO)
    if unpacked > max(_SMALL, _MOST_COMPRESSION * size):
        raise UnsafeCheckpoint(f"{path}: unpacks to {unpacked / 2**30:.1f} GiB", _MADE_SO)
    for member in members:
        # torch.save writes 0 where its checksums are switched off.
        if member.CRC:
            zip_members.read_through(archive, member)


_MADE_SO = "torch.save writes no such file; save the weights again"


def _broken(path: Path, error: Exception) -> Exception:
    what = str(error).partition("\n")[0] or type(error).__name__
    return damaged(path, f"the zip archive is broken: {what}")
