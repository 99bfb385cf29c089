"""The folder of a distributed checkpoint: what its metadata tells, and the chunks it points to."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeGuard

import torch
from torch import Tensor

from rnndiag import memory
from rnndiag.checkpoints._pickles.budget import Budget
from rnndiag.checkpoints._pickles.objects import BrokenPickle, StandIn, shown
from rnndiag.checkpoints._torch.nesting import nested
from rnndiag.checkpoints._torch.parts import identity, part
from rnndiag.checkpoints._torch.rebuild import Tensors
from rnndiag.checkpoints._torch.zip import TorchArchive, mapped
from rnndiag.errors import UnsupportedCheckpoint
from rnndiag.records import Shape

_TENSOR = "TensorStorageMetadata"
_BYTES = "BytesStorageMetadata"


@dataclass(frozen=True, kw_only=True)
class _Chunk:
    """Where one entry of the metadata is stored, or one chunk of it."""

    offsets: Shape | None = field(compare=False)
    """Within the tensor; None for what is no tensor."""
    file: str
    start: int
    length: int


class Folder:
    """One checkpoint; each file is mapped once, and each chunk followed once."""

    def __init__(self, metadata: Path) -> None:
        """Follow the metadata; raises `BrokenPickle`."""
        self._metadata = metadata
        self._maps: dict[str, memoryview] = {}
        self._found: dict[_Chunk, Any] = {}
        told = Tensors().machine.run(mapped(metadata))
        self._entries = _mapping(told, "state_dict_metadata")
        self._paths = _mapping(told, "planner_data", optional=True)
        self._chunks: dict[str, list[_Chunk]] = {}
        for index, info in _mapping(told, "storage_data").items():
            name, chunk = _chunk(index, info, metadata)
            self._chunks.setdefault(name, []).append(chunk)
        self._budget = Budget(self._length())

    def content(self) -> dict[Any, Any]:
        """What was saved, nested as it was.

        Raises `BrokenPickle`, `UnsafeCheckpoint`, `UnreadableCheckpoint` and, for what is stored
        in a way that is not known, `UnsupportedCheckpoint`.
        """
        found = {
            name: self._entry(name, told)
            for name, told in self._entries.items()
            if isinstance(name, str)
        }
        return nested(found, self._paths)

    def files(self) -> list[Path]:
        """The files that hold the chunks."""
        return [part(self._metadata, name) for name in sorted(self._maps)]

    def _length(self) -> int:
        """Bytes of all chunks; raises `BrokenPickle` where some overlap."""
        own = {each for chunks in self._chunks.values() for each in chunks}
        files = {name: identity(part(self._metadata, name)) for name in {one.file for one in own}}
        spans = sorted({(files[one.file], one.start, one.length) for one in own})
        for (file, start, length), (later, begin, _) in pairwise(spans):
            if file == later and start + length > begin:
                raise BrokenPickle("its chunks overlap")
        return sum(length for _, _, length in spans)

    def _entry(self, name: str, told: Any) -> Any:
        kind = told.name.rpartition(".")[2] if isinstance(told, StandIn) else ""
        chunks = self._chunks.get(name, [])
        if kind == _TENSOR:
            size = _sizes(told.get("size"), name)
            return _assembled(name, size, [(own, self._tensor(name, own)) for own in chunks])
        if kind != _BYTES or len(chunks) != 1:
            raise BrokenPickle(f"nothing tells how {shown(name)!r} is stored")
        return self._stored(chunks[0])

    def _tensor(self, name: str, chunk: _Chunk) -> Tensor:
        found = self._stored(chunk)
        if not isinstance(found, Tensor):
            raise BrokenPickle(f"a chunk of {shown(name)!r} is no tensor")
        return found

    def _stored(self, chunk: _Chunk) -> Any:
        """What torch.save wrote at this place."""
        if chunk not in self._found:
            self._found[chunk] = self._followed(chunk)
        return self._found[chunk]

    def _followed(self, chunk: _Chunk) -> Any:
        if chunk.file not in self._maps:
            self._maps[chunk.file] = memoryview(mapped(part(self._metadata, chunk.file)))
        whole = self._maps[chunk.file]
        if not 0 <= chunk.start <= chunk.start + chunk.length <= len(whole):
            raise BrokenPickle(f"a chunk reaches beyond the end of {shown(chunk.file)!r}")
        own = whole[chunk.start : chunk.start + chunk.length]
        tensors = Tensors(self._budget)
        return TorchArchive(self._metadata, own).unpickled("data.pkl", tensors, "data")


def _chunk(index: Any, info: Any, metadata: Path) -> tuple[str, _Chunk]:
    """The entry that a chunk is of, and where it is; raises `BrokenPickle`."""
    if not isinstance(index, StandIn) or not isinstance(info, StandIn):
        raise BrokenPickle("its metadata does not tell where things are stored")
    if info.get("transform_descriptors"):
        raise UnsupportedCheckpoint(
            f"{metadata}: its chunks are packed by an extension of torch.distributed.checkpoint",
            "save it without extensions, or convert it: python -m "
            "torch.distributed.checkpoint.format_utils dcp_to_torch FOLDER FILE",
        )
    name, file = index.get("fqn"), info.get("relative_path")
    start, length = info.get("offset"), info.get("length")
    if not (isinstance(name, str) and isinstance(file, str)):
        raise BrokenPickle("its metadata does not name what it stores")
    if not (_is_count(start) and _is_count(length)):
        raise BrokenPickle(f"a chunk of {shown(name)!r} is at no place")
    offsets = index.get("offset")
    place = None if offsets is None else _sizes(offsets, name)
    return name, _Chunk(offsets=place, file=file, start=start, length=length)


def _assembled(name: str, size: Shape, chunks: Sequence[tuple[_Chunk, Tensor]]) -> Tensor:
    """One tensor from its chunks, which cover it without gaps; raises `BrokenPickle`."""
    if len(chunks) == 1 and tuple(chunks[0][1].shape) == size:
        return chunks[0][1]
    count = sum(tensor.numel() for _, tensor in chunks)
    dtypes = {tensor.dtype for _, tensor in chunks}
    # Chunks are there already: no more memory is asked for than they have numbers.
    if count != math.prod(size) or len(dtypes) != 1:
        raise BrokenPickle(f"the chunks of {shown(name)!r} do not make up {size}")
    (dtype,) = dtypes
    memory.take(count * (dtype.itemsize + 1), f"putting {shown(name)!r} together")
    whole, filled = torch.empty(size, dtype=dtype), torch.zeros(size, dtype=torch.bool)
    for chunk, tensor in chunks:
        place = tuple(_slices(name, size, chunk, tuple(tensor.shape)))
        whole[place] = tensor
        filled[place] = True
    if not bool(filled.all()):
        raise BrokenPickle(f"the chunks of {shown(name)!r} overlap")
    return whole


def _slices(name: str, size: Shape, chunk: _Chunk, shape: Shape) -> Iterator[slice]:
    """Where a chunk is in its tensor."""
    offsets = chunk.offsets or ()
    if not len(offsets) == len(shape) == len(size):
        raise BrokenPickle(f"a chunk of {shown(name)!r} has other axes than the tensor")
    for offset, own, whole in zip(offsets, shape, size, strict=True):
        if offset + own > whole:
            raise BrokenPickle(f"a chunk of {shown(name)!r} reaches beyond the tensor")
        yield slice(offset, offset + own)


def _mapping(told: Any, name: str, *, optional: bool = False) -> Mapping[Any, Any]:
    found = told.get(name) if isinstance(told, StandIn) else None
    if found is None and optional:
        return {}
    if not isinstance(found, Mapping):
        raise BrokenPickle(f"its metadata has no {name}")
    return found


def _sizes(value: Any, name: str) -> Shape:
    if not isinstance(value, (tuple, list)) or not all(map(_is_count, value)):
        raise BrokenPickle(f"{shown(name)!r} has sizes that are no counts")
    return tuple(value)


def _is_count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**62
