"""safetensors: a JSON header and raw tensors; a state dict without anything else.

The file sorts its tensors by type and name, so their order says nothing about the network.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from rnndiag.checkpoints._torch.tensors import lazy_state_dict
from rnndiag.checkpoints.base import damaged, sha256
from rnndiag.records import Checkpoint, Writer

_LENGTH_BYTES = 8
_LONGEST_HEADER = 100_000_000
"""What the safetensors library accepts."""
_REAL_TYPES = ("F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2")


def recognises(path: Path, head: bytes) -> bool:
    """The header's length in eight bytes, and the brace that opens it."""
    length = int.from_bytes(head[:_LENGTH_BYTES], "little")
    opens = head[_LENGTH_BYTES : _LENGTH_BYTES + 1] == b"{"
    return opens and 2 <= length <= _LONGEST_HEADER


def read(path: Path) -> Checkpoint:
    """Names, types and shapes now, tensors when they are asked for."""
    try:
        with safe_open(path, framework="pt") as file:
            slices = {name: file.get_slice(name) for name in list(file.keys())}
            real = [name for name, own in slices.items() if own.get_dtype() in _REAL_TYPES]
            shapes = {name: tuple(slices[name].get_shape()) for name in real}
    except SafetensorError as error:
        raise damaged(path, f"safetensors says {error}") from error
    return Checkpoint(
        path=path,
        format="safetensors",
        writer=Writer(framework="torch"),
        size_bytes=path.stat().st_size,
        sha256=sha256(path),
        content=lazy_state_dict(shapes, partial(_tensor, path)),
    )


def _tensor(path: Path, name: str) -> Tensor:
    with safe_open(path, framework="pt") as file:
        tensor: Tensor = file.get_tensor(name)
    return tensor
