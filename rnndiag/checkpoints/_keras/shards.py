"""Weights in pieces: an index of which array lies in which file, and the files beside it.

``model.save_weights("model.weights.json", max_shard_size=…)`` of Keras 3.10 and later writes a
layer's group to several files if need be. Here they become one file in memory, which is then
read like any other.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import h5py

from rnndiag.checkpoints._hdf5 import BROKEN_HDF5
from rnndiag.checkpoints._keras.tree import Tree, opened_tree
from rnndiag.checkpoints.base import damaged, parse_json
from rnndiag.errors import UnreadableCheckpoint, UnsafeCheckpoint, UnsupportedCheckpoint

_SUFFIX, _SHARD = ".weights.json", ".weights.h5"
_ONE = re.compile(r"(?P<stem>.+)_\d{5}\.weights\.h5")
_MAP = "weight_map"
_LARGEST = 16 << 20
"""Bytes of an index; one of a thousand layers has some hundred kilobytes."""
_MOST = 1000
"""Shards, all of which are open at once."""


def is_index(path: Path, head: bytes) -> bool:
    """Whether it may be such an index, by its name: other frameworks' have the same content."""
    return path.name.endswith(_SUFFIX) and head.lstrip().startswith(b"{")


@contextmanager
def opened_shards(index: Path) -> Iterator[Tree]:
    """All shards as one file, open to be read.

    Raises `UnreadableCheckpoint` where one is missing or damaged, `UnsafeCheckpoint` where the
    index names anything but files beside it.
    """
    try:
        whole = _joined(index)
    except BROKEN_HDF5 as error:
        raise damaged(index, f"HDF5 says {error}") from error
    with h5py.File(whole, "r") as file:
        yield Tree(file, whole, index)


def notes_on_one(path: Path) -> tuple[str, ...]:
    """That a file, by its name, is one shard of several; nothing of any other.

    Raises `UnsupportedCheckpoint` where their index lies beside it: a shard may end within
    a layer.
    """
    name = _ONE.fullmatch(path.name)
    if name is None:
        return ()
    index = path.with_name(f"{name['stem']}{_SUFFIX}")
    if index.is_file():
        raise UnsupportedCheckpoint(
            f"{path}: one shard of several", f"name their index instead: {index}"
        )
    return (f"by its name one shard of several; their index {index.name} is not beside it",)


def files(index: Path) -> list[Path]:
    """The index and its shards."""
    return [index, *_shards(index).values()]


def _joined(index: Path) -> io.BytesIO:
    """An HDF5 file in memory that holds what the shards hold together."""
    whole = io.BytesIO()
    with ExitStack() as stack, h5py.File(whole, "w") as target:
        trees = {
            name: stack.enter_context(opened_tree(shard)) for name, shard in _shards(index).items()
        }
        for place, names in _map(index).items():
            for name in names:
                _copy(trees[name], place, target)
        for tree in trees.values():
            for place, called in tree.all_called():
                target.require_group(place).attrs["name"] = called
    return whole


def _map(index: Path) -> Mapping[str, list[str]]:
    """The files of each group of arrays: one, or several in order."""
    if index.stat().st_size > _LARGEST:
        raise UnsafeCheckpoint(
            f"{index}: larger than {_LARGEST >> 20} MiB, which no index of shards is",
            "the file is damaged, or made to do harm",
        )
    try:
        content = parse_json(index.read_text(encoding="utf-8"), index, "the index of shards")
    except UnicodeDecodeError as error:
        raise damaged(index, "the index of shards is not UTF-8") from error
    found = content.get(_MAP)
    if not isinstance(found, Mapping) or not found:
        raise damaged(index, f"the index of shards has no {_MAP}")
    return {place: _names(index, names) for place, names in found.items()}


def _names(index: Path, told: Any) -> list[str]:
    names = told if isinstance(told, list) else [told]
    if not names or not all(isinstance(name, str) for name in names):
        raise damaged(index, f"{str(told)[:40]} is no list of shards")
    return names


def _shards(index: Path) -> dict[str, Path]:
    """Each shard by its name, all of them plain files in the folder of the index."""
    names = sorted({name for own in _map(index).values() for name in own})
    if len(names) > _MOST:
        raise UnsafeCheckpoint(
            f"{index}: names {len(names)} shards, more than {_MOST}",
            "save the weights again with a larger max_shard_size",
        )
    return {name: _beside(index, name) for name in names}


def _beside(index: Path, name: str) -> Path:
    """A shard; only a file of that folder counts, and no link to one elsewhere."""
    shard = index.with_name(name) if name == Path(name).name and "\\" not in name else None
    if shard is None or not name.endswith(_SHARD) or shard.is_symlink():
        raise UnsafeCheckpoint(
            f"{index}: {name[:80]!r} is no shard beside the index, and is not opened",
            "shards are files of the same folder, called NAME_00000.weights.h5 and so on",
        )
    if not shard.is_file():
        raise UnreadableCheckpoint(
            f"{index}: the shard {name} is missing", "copy all shards into the index's folder"
        )
    return shard


def _copy(tree: Tree, place: str, target: h5py.File) -> None:
    """The arrays of one group."""
    group: h5py.Group | None = tree.root
    *path, last = [part for part in place.split("/") if part]
    for part in path:
        group = tree.group(group, part)
    found = tree.variables(group) if last == "vars" else ()
    if group is None or not found:
        raise damaged(tree.path, f"the shard has no arrays at {place[:80]}")
    held = target.require_group(place)
    for named in found:
        key = named.name.rpartition("/")[2]
        if key in held:
            raise damaged(tree.path, f"{place[:80]}/{key} is in two shards")
        held[key] = named.array
