"""Sharded checkpoints: a JSON index names the file that each tensor is in.

Transformers and others write ``model.safetensors.index.json`` and
``pytorch_model.bin.index.json``. The shards are found by what they hold, as single files are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from rnndiag.checkpoints import _links, safetensors_file, torch_file
from rnndiag.checkpoints._pickles.budget import Budget
from rnndiag.checkpoints._pickles.objects import shown
from rnndiag.checkpoints._torch import parts
from rnndiag.checkpoints._torch.load import load
from rnndiag.checkpoints._torch.saved import Source, checkpoint
from rnndiag.checkpoints._torch.tensors import lazy_state_dict
from rnndiag.checkpoints.base import damaged, parse_json
from rnndiag.errors import UnsupportedCheckpoint
from rnndiag.records import Checkpoint, StateDict, Writer

_INDEX = "*.index.json"
_SAFE = ".safetensors.index.json"
_OF_KERAS = ".weights.json"
"""How the indices of another framework are called, broken ones too."""
_LONGEST = 64 << 20
"""Bytes of an index: a million tensors have as many."""
_HEAD_BYTES = 512
_STARTS = 64 << 10
"""Where the map begins at the latest: what stands before it are a few numbers."""
_MAP = re.compile(rb'"weight_map"\s*:\s*\{(?!\s*"[^"]*"\s*:\s*(\[|"[^"]*\.h5"))')
"""Keras's indices have lists and HDF5 files in theirs."""


def recognises(path: Path, head: bytes) -> bool:
    """An index; or a folder with one alone."""
    return _index(path) is not None


def read(path: Path) -> Checkpoint:
    """The tensors of all shards, read when they are asked for.

    Raises `UnsafeCheckpoint` where a shard is named that is elsewhere, and
    `UnreadableCheckpoint` where one is missing or lacks a tensor.
    """
    index = _index(path)
    assert index is not None
    _links.check(path, index)
    places = _places(index)
    shards = {name: parts.part(index, name) for name in sorted(set(places.values()))}
    safe = _are_safetensors(index, shards)
    files = [index, *shards.values()]
    source = Source(
        path=path,
        format="safetensors-sharded" if safe else "torch-sharded",
        size_bytes=parts.size(files),
        sha256=parts.digest(files),
        notes=(f"{len(shards)} shards, as {index.name} names them",),
    )
    if safe:
        return _safetensors(source, index, places, shards)
    return checkpoint(source, _pickled(index, places, shards))


def _index(path: Path) -> Path | None:
    """The index at `path`, or the only one in the folder there; safetensors before pickles."""
    if path.is_dir():
        found = [own for own in sorted(path.glob(_INDEX)) if own.is_file() and _is_index(own)]
        safe = [own for own in found if own.name.endswith(_SAFE)]
        single = safe if len(found) > 1 else found
        return single[0] if len(single) == 1 else None
    return path if path.is_file() and _is_index(path) else None


def _is_index(path: Path) -> bool:
    if path.name.endswith(_OF_KERAS):
        return False
    with path.open("rb") as file:
        start = file.read(_STARTS)
    return start.lstrip().startswith(b"{") and _MAP.search(start) is not None


def _places(index: Path) -> dict[str, str]:
    """The shard of each tensor."""
    if index.stat().st_size > _LONGEST:
        raise damaged(index, f"the index is longer than {_LONGEST >> 20} MiB")
    try:
        text = index.read_text(encoding="utf-8")
    except ValueError as error:
        raise damaged(index, "the index is not UTF-8") from error
    found = parse_json(text, index, "the index").get("weight_map")
    if not isinstance(found, dict) or not found:
        raise damaged(index, "its weight_map names no tensors")
    if not all(isinstance(shard, str) and shard for shard in found.values()):
        raise damaged(index, "its weight_map names something other than files")
    return found


def _are_safetensors(index: Path, shards: Mapping[str, Path]) -> bool:
    """Whether the shards are of safetensors, and not of torch.save."""
    safe = set()
    for name, shard in shards.items():
        head = _head(shard)
        is_safe = safetensors_file.recognises(shard, head)
        if not is_safe and not torch_file.recognises(shard, head):
            raise UnsupportedCheckpoint(
                f"{index}: its shard {shown(name)!r} is neither of safetensors nor of torch.save",
                "is the download complete? large files may be stored as pointers to them",
            )
        safe.add(is_safe)
    if len(safe) > 1:
        raise damaged(index, "its shards are of two formats")
    return safe == {True}


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES)


def _safetensors(
    source: Source, index: Path, places: Mapping[str, str], shards: Mapping[str, Path]
) -> Checkpoint:
    """Of shards of safetensors, names and shapes alone are read now."""
    held = parts.each_once(shards, safetensors_file.read)
    stored = {own.name: own for shard in held.values() for own in shard.stored}
    _check_all(
        index, places, {name: {own.name for own in one.stored} for name, one in held.items()}
    )
    shapes = {
        name: shape
        for shard, one in held.items()
        if isinstance(one.content, StateDict)
        for name, shape in one.content.shapes.items()
        if places.get(name) == shard
    }
    readers = parts.each_once(shards, safetensors_file.tensors)
    return Checkpoint(
        path=source.path,
        format=source.format,
        writer=Writer(framework="torch"),
        size_bytes=source.size_bytes,
        sha256=source.sha256,
        content=lazy_state_dict(shapes, lambda name: readers[places[name]](name)),
        notes=source.notes,
        stored=tuple(stored[name] for name in places),
    )


def _pickled(index: Path, places: Mapping[str, str], shards: Mapping[str, Path]) -> dict[str, Any]:
    """The tensors of shards that torch.save wrote, in the order of the shards."""
    held = parts.each_once(shards, partial(_loaded, budget=Budget()))
    _check_all(index, places, held)
    return {
        name: tensor
        for shard, tensors in held.items()
        for name, tensor in tensors.items()
        if places.get(name) == shard
    }


def _loaded(shard: Path, budget: Budget) -> dict[str, Tensor]:
    content = load(shard, zipped=torch_file.is_zip(_head(shard)), budget=budget).content
    if not isinstance(content, Mapping):
        raise damaged(shard, "a shard that is no mapping of tensors")
    named = ((key, own) for key, own in content.items() if isinstance(key, str))
    return {key: own for key, own in named if isinstance(own, Tensor)}


def _check_all(index: Path, places: Mapping[str, str], held: Mapping[str, Any]) -> None:
    """Raise where a tensor is not in the shard that the index names."""
    lost = [name for name, shard in places.items() if name not in held[shard]]
    if lost:
        where = shown(places[lost[0]])
        raise damaged(index, f"{shown(lost[0])!r} is not in {where!r}, where it says it is")
