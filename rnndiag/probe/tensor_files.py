"""The tensors of a file of torch.save, read as checkpoints are: nothing in it is run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rnndiag.checkpoints._pickles.objects import StandIn
from rnndiag.checkpoints._torch.load import load
from rnndiag.errors import BadProbe, UnreadableCheckpoint, UnsafeCheckpoint
from rnndiag.records import Array

_SPARSE = "torch._utils._rebuild_sparse_tensor"
_NO_NUMPY = (torch.bfloat16, *(getattr(torch, f"float8_{kind}") for kind in ("e4m3fn", "e5m2")))


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A tensor that is made into an array when it is asked for."""

    nbytes: int
    """Of all its numbers, also those that are not stored."""
    make: Callable[[], Tensor]

    def array(self) -> Array:
        """Dense, and in a type that numpy knows."""
        tensor = self.make().detach()
        return np.asarray((tensor.float() if tensor.dtype in _NO_NUMPY else tensor).numpy())


def tensors(path: Path, *, zipped: bool) -> dict[str, Stored]:
    """The tensors of a dictionary by name; one alone is ``x``, those of a list ``x0``, ``x1``, ….

    Raises `BadProbe` where there are none, or the file is damaged.
    """
    try:
        content = load(path, zipped=zipped).content
    except (UnreadableCheckpoint, UnsafeCheckpoint) as error:
        raise BadProbe(error.message, error.hint) from error
    named = _named(content)
    stored = {name: own for name, item in named.items() if (own := _stored(item)) is not None}
    if not stored:
        what = content.name if isinstance(content, StandIn) else type(content).__name__
        raise BadProbe(
            f"{path}: holds a {what[:80]}, in which there are no tensors",
            "save tensors: torch.save({'x': x}, FILE)",
        )
    return stored


def _named(content: Any) -> dict[str, Any]:
    if _stored(content) is not None:
        return {"x": content}
    if isinstance(content, (list, tuple)):
        return {f"x{k}": item for k, item in enumerate(content)}
    return {str(k): v for k, v in content.items()} if isinstance(content, Mapping) else {}


def _stored(item: Any) -> Stored | None:
    """A tensor; None for everything else."""
    if isinstance(item, Tensor):
        size = item.numel() * item.element_size()
        return Stored(nbytes=size, make=lambda: item) if item.layout is torch.strided else None
    if not isinstance(item, StandIn) or item.name != _SPARSE or len(item.arguments) != 2:
        return None
    parts = item.arguments[1]
    if not isinstance(parts, tuple) or len(parts) < 3:
        return None
    indices, values, size = parts[:3]
    counts = isinstance(size, (tuple, list)) and all(type(n) is int and n >= 0 for n in size)
    if not (counts and isinstance(indices, Tensor) and isinstance(values, Tensor)):
        return None
    nbytes = math.prod(size) * values.element_size()
    return Stored(nbytes=nbytes, make=partial(_dense, indices, values, tuple(size)))


def _dense(indices: Tensor, values: Tensor, size: tuple[int, ...]) -> Tensor:
    """The numbers of a sparse tensor at their places, which are checked, and zeros elsewhere."""
    return torch.sparse_coo_tensor(indices, values, size, check_invariants=True).to_dense()
