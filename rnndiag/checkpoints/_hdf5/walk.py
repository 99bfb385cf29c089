"""Every object of an HDF5 file, each once, without recursion.

HDF5's own visitor goes down as deep as a file asks, and names that are thousands of groups deep
take it for ever: each is put together anew from the root.
"""

from __future__ import annotations

from collections.abc import Iterator

import h5py

from rnndiag.errors import UnsafeCheckpoint

_DEEPEST = 64
"""Groups within each other; nested models have some ten."""
_BROKEN = (OSError, RuntimeError, KeyError, TypeError, ValueError)


def objects(file: h5py.File) -> Iterator[tuple[str, h5py.HLObject | Exception]]:
    """What hard links lead to, by the first of its names, and what is raised where it is damaged.

    A group's own content comes before that of the groups in it. Raises `UnsafeCheckpoint` where
    groups are nested far deeper than any model.
    """
    seen = {_address(file)}
    waiting: list[tuple[h5py.Group, int]] = [(file, 0)]
    while waiting:
        group, depth = waiting.pop()
        if depth > _DEEPEST:
            raise UnsafeCheckpoint(
                f"{file.file.filename}: groups stand in each other more than {_DEEPEST} deep",
                "the file is damaged, or made so that reading it never ends",
            )
        inner: list[tuple[h5py.Group, int]] = []
        for name, item in _in_group(group, seen):
            yield name, item
            if isinstance(item, h5py.Group):
                inner.append((item, depth + 1))
        waiting += inner[::-1]


def _in_group(group: h5py.Group, seen: set[int]) -> Iterator[tuple[str, h5py.HLObject | Exception]]:
    """The objects of one group that were not seen yet."""
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            continue
        place = f"{group.name}/{name}".lstrip("/")
        try:
            item = group[name]
            address = _address(item)
        except _BROKEN as error:
            yield place, error
            continue
        if address not in seen:
            seen.add(address)
            yield place, item


def _address(item: h5py.HLObject) -> int:
    return int(h5py.h5o.get_info(item.id).addr)
