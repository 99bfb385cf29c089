"""Files as memory: a page of one is read when it is used, and can be let go again.

What a map has shown counts as the process's memory until it is let go. The system brings the
neighbours of a page that is looked at, up to two megabytes of them, so that whoever goes through a
large array, or picks rows of it, lets go on the way.
"""

from __future__ import annotations

import io
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from weakref import WeakSet, WeakValueDictionary

BLOCK = 4 << 20
"""Bytes after which to let go."""
_MAPS: WeakSet[mmap.mmap] = WeakSet()
_SHARED: WeakValueDictionary[tuple[int, ...], mmap.mmap] = WeakValueDictionary()
"""By what tells a file, and that it is still the same."""


def mapped(path: Path) -> mmap.mmap:
    """A file's bytes, of which none is written back; raises `OSError`, and `ValueError` if empty.

    Arrays that lie in it keep it open.
    """
    with path.open("rb") as file:
        # Not to be read only: torch and numpy warn of arrays that cannot be written.
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    _MAPS.add(content)
    return content


def shared(path: Path) -> mmap.mmap:
    """The same for all who ask, as long as anybody has it: each map holds a file descriptor."""
    found = path.stat()
    key = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
    content = _SHARED.get(key)
    if content is None:
        content = _SHARED[key] = mapped(path)
    return content


def let_go() -> None:
    """Give back what maps have read; whatever is used again is read again."""
    for content in _MAPS:
        if hasattr(content, "madvise") and not content.closed:
            content.madvise(mmap.MADV_DONTNEED)


def blocks(array: Any, size: int = BLOCK) -> Iterator[Any]:
    """An array of NumPy's in pieces of some `size` bytes, in the order in which it is stored."""
    if array.nbytes <= size:
        yield array
        return
    slowest = max(range(array.ndim), key=lambda axis: abs(int(array.strides[axis])))
    length = array.shape[slowest]
    step = max(1, size * length // array.nbytes)
    for start in range(0, length, step):
        yield array[(slice(None),) * slowest + (slice(start, start + step),)]
        let_go()


class Window(io.RawIOBase):
    """A part of mapped memory as a file that can be read; as text it is its place."""

    def __init__(self, content: memoryview, place: str = "") -> None:
        super().__init__()
        self._content = content
        self._name = place
        self._place = 0

    def __repr__(self) -> str:
        return self._name

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a place from the start, from here or from the end."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: len(self._content)}
        place = start[whence] + offset
        if place < 0:
            raise ValueError("a place before the start")
        self._place = place
        return place

    def tell(self) -> int:
        """The place."""
        return self._place

    def readinto(self, buffer: Any) -> int:
        """Copy the next bytes into `buffer`; how many there were."""
        found = self._content[self._place : self._place + len(buffer)]
        buffer[: len(found)] = found
        self._place += len(found)
        return len(found)
