"""The groups of a ``.weights.h5`` file, Keras 3's own: a tree of layers with numbered arrays.

``layers/lstm_1/cell/vars/0``: a layer is called after its class and counted, not by its name;
what it is made of by the attributes of its class. tf.keras 2.12 and 2.13 call the first level
``_layer_checkpoint_dependencies``.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import h5py

from rnndiag.checkpoints._hdf5 import BROKEN_HDF5, array, child, opened
from rnndiag.checkpoints._hdf5.texts import short_text
from rnndiag.checkpoints.base import damaged
from rnndiag.errors import UnsafeCheckpoint
from rnndiag.records import NamedArray

CONTAINERS = ("layers", "_layer_checkpoint_dependencies")
RANDOM = ("seed_generator", "random_generator", "_random_generator")
"""Where layers keep the state of their random numbers, which are no weights."""
_VARIABLES = "vars"
_OLDER = ("layer_names", "layer_names0", "model_config")
"""Attributes of the older files, whose layers may be called anything."""
_MOST_TOTAL = 64 << 20
_MOST_EXPANSION = 1000
"""How many times the arrays of a file together may be larger than it, above so many bytes."""


def holds_tree(path: Path) -> bool:
    """Whether an HDF5 file is of this kind, and not of Keras's older one, or damaged."""
    try:
        with h5py.File(path, "r") as file:
            if any(name in file.attrs for name in _OLDER):
                return False
            return any(name in file for name in (*CONTAINERS, _VARIABLES))
    except BROKEN_HDF5:
        return False


@contextmanager
def opened_tree(path: Path) -> Iterator[Tree]:
    """A file, open to be read; raises `UnreadableCheckpoint` where it is damaged."""
    try:
        with opened(path) as file, path.open("rb") as raw:
            yield Tree(file, raw, path, 0)
    except BROKEN_HDF5 as error:
        raise damaged(path, f"HDF5 says {error}") from error


class Tree:
    """Reads one file; counts what it reads, and remembers what was taken.

    `raw` are the bytes of the same file, and `path` is what messages call it. There it begins at
    `start`, which is None where it is no more than in memory.
    """

    def __init__(
        self, file: h5py.File, raw: BinaryIO, path: Path, start: int | None = None
    ) -> None:
        self.root, self.path = file, path
        self._start = start
        self._raw = raw
        self._left = max(_MOST_TOTAL, _MOST_EXPANSION * raw.seek(0, io.SEEK_END))
        self._taken: set[str] = set()

    def group(self, parent: h5py.Group | None, name: str) -> h5py.Group | None:
        """A group in a group; None where there is none."""
        if parent is None or name not in parent:
            return None
        found = child(parent, name)
        return found if isinstance(found, h5py.Group) else None

    def groups(self, parent: h5py.Group) -> Iterator[tuple[str, h5py.Group]]:
        """All groups in a group but variables and random states, ``lstm_2`` before ``lstm_10``."""
        for name in sorted(parent, key=_natural):
            if name != _VARIABLES and name not in RANDOM:
                found = self.group(parent, name)
                if found is not None:
                    yield name, found

    def container(self, parent: h5py.Group | None) -> h5py.Group | None:
        """Where a model keeps its layers."""
        found = (self.group(parent, name) for name in CONTAINERS)
        return next((group for group in found if group is not None), None)

    def variables(self, group: h5py.Group | None) -> tuple[NamedArray, ...]:
        """What a layer itself has, in the order in which it was made."""
        held = self.group(group, _VARIABLES)
        if held is None:
            return ()
        names = sorted(held, key=_natural)
        return tuple(self._array(child(held, name)) for name in names)

    def everything(self, group: h5py.Group | None) -> tuple[NamedArray, ...]:
        """What a layer has, and then what is in it."""
        found: list[NamedArray] = []
        if group is not None:
            for inner in self._within(group, set()):
                found += self.variables(inner)
        return tuple(found)

    def called(self, group: h5py.Group) -> str | None:
        """The layer's own name, which Keras writes since 3.6."""
        held = self.group(group, _VARIABLES)
        return None if held is None else short_text(self._raw, held, "name")

    def all_called(self) -> Iterator[tuple[str, str]]:
        """The place of each layer's variables, be there any or not, and the layer's own name."""
        for group in self._within(self.root, set()):
            called = self.called(group)
            if called is not None:
                yield f"{group.name.rstrip('/')}/{_VARIABLES}", called

    def untaken(self, group: h5py.Group | None) -> list[str]:
        """The arrays below `group` that were not read."""
        if group is None:
            return []
        return [
            f"{held.name}/{name}".lstrip("/")
            for inner in self._within(group, set())
            if (held := self.group(inner, _VARIABLES)) is not None
            for name in sorted(held, key=_natural)
            if f"{held.name}/{name}" not in self._taken
        ]

    def _within(self, group: h5py.Group, seen: set[h5py.Group]) -> Iterator[h5py.Group]:
        """The group and all groups in it, each once: hard links may make a loop."""
        if group in seen:
            return
        seen.add(group)
        yield group
        for _, inner in self.groups(group):
            yield from self._within(inner, seen)

    def _array(self, dataset: h5py.Dataset) -> NamedArray:
        self._left -= getattr(dataset, "nbytes", 0)
        if self._left < 0:
            raise UnsafeCheckpoint(
                f"{self.path}: its arrays claim far more than the file stores",
                "the file is damaged, or made to exhaust memory",
            )
        self._taken.add(dataset.name)
        return NamedArray(
            name=dataset.name.lstrip("/"), array=array(dataset, self.path, self._start)
        )


def _natural(name: str) -> list[tuple[int, str]]:
    """A key by which 9 stands before 10."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts if part]
