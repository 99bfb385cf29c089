"""safetensors: a JSON header and raw tensors; a state dict without anything else.

The file sorts its tensors by type and name, so their order says nothing about the network.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from rnndiag import mapping, memory
from rnndiag.checkpoints._torch import parts
from rnndiag.checkpoints._torch.tensors import aligned, lazy_state_dict
from rnndiag.checkpoints.base import damaged, sha256
from rnndiag.records import Checkpoint, StoredArray, Writer

_LENGTH_BYTES = 8
_LONGEST_HEADER = 100_000_000
"""What the safetensors library accepts."""
_HEADER_EXPANSION = 40
"""Bytes that a character of it may become."""
_ENTRY = 1000
"""Bytes that a tensor takes in the list."""
_REAL_TYPES = {
    **{"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16},
    **{"F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2},
}


def recognises(path: Path, head: bytes) -> bool:
    """The header's length in eight bytes, and the brace that opens it."""
    length = int.from_bytes(head[:_LENGTH_BYTES], "little")
    opens = head[_LENGTH_BYTES : _LENGTH_BYTES + 1] == b"{"
    return opens and 2 <= length <= _LONGEST_HEADER


def read(path: Path) -> Checkpoint:
    """Names, types and shapes now, tensors when they are asked for."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
    memory.check(_HEADER_EXPANSION * min(length, path.stat().st_size), "reading its header")
    try:
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
            memory.take(_ENTRY * len(names), "the list of its tensors")
            stored = tuple(_stored(name, file.get_slice(name)) for name in names)
    except SafetensorError as error:
        raise damaged(path, f"safetensors says {error}") from error
    return Checkpoint(
        path=path,
        format="safetensors",
        writer=Writer(framework="torch"),
        size_bytes=path.stat().st_size,
        sha256=sha256(path),
        content=lazy_state_dict(
            {own.name: own.shape for own in stored if own.role is None}, tensors(path)
        ),
        notes=parts.notes_on_one(path),
        stored=stored,
    )


def _stored(name: str, found: Any) -> StoredArray:
    shape, kind = tuple(found.get_shape()), found.get_dtype()
    if kind in _REAL_TYPES:
        return StoredArray(name=name, shape=shape)
    return StoredArray(name=name, shape=shape, role="bookkeeping", reason=f"it holds {kind}")


def tensors(path: Path) -> Callable[[str], Tensor]:
    """What gives the tensors of a sound file by name, of which nothing is read before it is used.

    The library maps files as well, but what it has read cannot be let go.
    """
    content = mapping.mapped(path)
    begin = _LENGTH_BYTES + int.from_bytes(content[:_LENGTH_BYTES], "little")
    header = json.loads(content[_LENGTH_BYTES:begin])

    def tensor(name: str) -> Tensor:
        kind, shape = _REAL_TYPES[header[name]["dtype"]], header[name]["shape"]
        start, end = header[name]["data_offsets"]
        if start == end:
            return torch.empty(shape, dtype=kind)
        count = (end - start) // kind.itemsize
        found = torch.frombuffer(content, dtype=kind, offset=begin + start, count=count)
        return aligned(found).view(shape)

    return tensor
