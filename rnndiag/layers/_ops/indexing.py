"""Parts of a tensor: slices, positions, and positions that are tensors themselves."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rnndiag.layers._ops.arguments import integers, tensor


def get_item(x: Tensor, key: Any) -> Tensor:
    """``x[key]`` as NumPy understands it, with slices that run backwards."""
    pieces = list(key) if isinstance(key, list) else [key]
    pieces = [_piece(piece, x) for piece in pieces]
    for place, axis in _slices(pieces, x.dim()):
        bounds = pieces[place]
        if bounds.step is not None and bounds.step < 0:
            # PyTorch has no slices with a negative step.
            chosen = range(*bounds.indices(x.shape[axis]))
            x = x.index_select(axis, torch.tensor(list(chosen), device=x.device).long())
            pieces[place] = slice(None)
    return x[tuple(pieces)]


def take(x: Tensor, indices: Any, axis: int | None = None) -> Tensor:
    """The positions along an axis, in the indices' own shape."""
    if axis is None:
        x, axis = x.flatten(), 0
    return gather(x, indices, axis)


def gather(x: Tensor, indices: Any, axis: int | None = None, batch_dims: int = 0) -> Tensor:
    """Positions along an axis; with one batch axis each sample has its own.

    Negative ones count from the end.
    """
    places = tensor(indices, x).long()
    axis = (int(batch_dims) if axis is None else int(axis)) % x.dim()
    places = torch.where(places < 0, places + x.shape[axis], places)
    if batch_dims == 0:
        flat = x.index_select(axis, places.flatten())
        return flat.reshape(*x.shape[:axis], *places.shape, *x.shape[axis + 1 :])
    if batch_dims != 1 or axis != 1:
        raise ValueError(f"{batch_dims} batch axes and axis {axis} are not supported")
    samples = torch.arange(len(x), device=x.device)
    return x[samples.view(-1, *(1,) * (places.dim() - 1)), places]


def gather_nd(x: Tensor, indices: Any) -> Tensor:
    """Elements or slices by whole positions, which stand along the indices' last axis."""
    places: tuple[Tensor, ...] = tensor(indices, x).long().unbind(-1)
    return x[places]


def take_along_axis(x: Tensor, indices: Any, axis: int | None = None) -> Tensor:
    """Positions that differ from one line along the axis to another."""
    return torch.take_along_dim(x, tensor(indices, x).long(), axis)


def _piece(piece: Any, x: Tensor) -> Any:
    """One axis's part of a key, with numbers where tensors of one element stand."""
    if isinstance(piece, slice):
        return slice(*(_number(bound) for bound in (piece.start, piece.stop, piece.step)))
    if isinstance(piece, (list, Tensor)):
        return tensor(piece, x)
    return piece


def _number(bound: Any) -> int | None:
    return None if bound is None else integers(bound)[0]


def _slices(pieces: list[Any], rank: int) -> list[tuple[int, int]]:
    """The place of each slice in the key, and the axis that it is of."""
    taken = sum(piece is not None and piece is not ... for piece in pieces)
    axis, found = 0, []
    for place, piece in enumerate(pieces):
        if isinstance(piece, slice):
            found.append((place, axis))
        if piece is ...:
            axis += rank - taken
        elif piece is not None:
            axis += 1
    return found
