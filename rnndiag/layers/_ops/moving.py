"""What only moves values about: new shapes, orders, parts and repetitions.

Whatever these do to values they do to anything that stands at the same places, such as the
padding of timesteps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from rnndiag.layers._ops.arguments import allowed, integers, tensor, tensors
from rnndiag.layers._ops.indexing import gather, get_item, take, take_along_axis


def reshape(x: Any, newshape: Any) -> Tensor:
    """One size may be -1."""
    return tensor(x).reshape(integers(newshape))


def ravel(x: Tensor) -> Tensor:
    """Everything in a row."""
    return x.reshape(-1)


def expand_dims(x: Any, axis: Any) -> Tensor:
    """One more axis of size 1, or several, counted in the result."""
    found, axes = tensor(x), integers(axis)
    for place in sorted(place % (found.dim() + len(axes)) for place in axes):
        found = found.unsqueeze(place)
    return found


def squeeze(x: Tensor, axis: Any = None) -> Tensor:
    """Without axes of size 1; the named ones must be such."""
    if axis is None:
        return x.squeeze()
    axes = integers(axis)
    if any(x.shape[place] != 1 for place in axes):
        raise ValueError(f"the axes {axes} are not all of size 1")
    return x.squeeze(tuple(axes))


def transpose(x: Tensor, axes: Any = None) -> Tensor:
    """Axes in a new order, or in reverse."""
    return x.permute(list(range(x.dim()))[::-1] if axes is None else integers(axes))


def swap_axes(x: Tensor, axis1: int, axis2: int) -> Tensor:
    """Two axes in each other's place."""
    return x.transpose(axis1, axis2)


def move_axis(x: Tensor, source: Any, destination: Any) -> Tensor:
    """Axes to other places; the rest keep their order."""
    return x.movedim(integers(source), integers(destination))


def concatenate(xs: Any, axis: int = 0) -> Tensor:
    """One behind the other along an axis."""
    return torch.cat(tensors(xs), int(axis))


def stack(x: Any, axis: int = 0) -> Tensor:
    """Side by side along a new axis."""
    return torch.stack(tensors(x), int(axis))


def unstack(x: Tensor, num: int | None = None, axis: int = 0) -> tuple[Tensor, ...]:
    """Each slice along an axis."""
    return x.unbind(int(axis))


def split(x: Tensor, indices_or_sections: Any, axis: int = 0) -> tuple[Tensor, ...]:
    """Equal sections, or cuts before the given places."""
    if isinstance(indices_or_sections, int):
        return split_sizes(x, indices_or_sections, axis)
    return tuple(torch.tensor_split(x, integers(indices_or_sections), int(axis)))


def split_sizes(x: Tensor, sizes: Any, axis: int = 0) -> tuple[Tensor, ...]:
    """Equal sections, or sections of the given sizes, of which one may be -1."""
    length, axis = x.shape[int(axis)], int(axis)
    if isinstance(sizes, int):
        if sizes < 1 or length % sizes:
            raise ValueError(f"{length} cannot be split into {sizes} equal sections")
        return torch.tensor_split(x, sizes, axis)
    wanted = integers(sizes)
    rest = length - sum(size for size in wanted if size >= 0)
    return torch.split_with_sizes(x, [rest if size == -1 else size for size in wanted], axis)


def tile(x: Tensor, repeats: Any) -> Tensor:
    """Copies along each axis."""
    times = integers(repeats)
    times = [1] * (x.dim() - len(times)) + times
    shape = [1] * (len(times) - x.dim()) + list(x.shape)
    allowed([size * count for size, count in zip(shape, times, strict=True)])
    return x.repeat(times)


def repeat(x: Tensor, repeats: Any, axis: int | None = None) -> Tensor:
    """Each element several times in a row."""
    if axis is None:
        x, axis = x.flatten(), 0
    counts = integers(repeats)
    if min(counts) < 0:
        raise ValueError("a negative number of repetitions")
    length = sum(counts) if len(counts) > 1 else counts[0] * x.shape[axis]
    allowed([length, x.numel() // max(x.shape[axis], 1)])
    return x.repeat_interleave(torch.tensor(counts, device=x.device), int(axis))


def broadcast_to(x: Tensor, shape: Any) -> Tensor:
    """Stretched along axes of size 1."""
    return x.broadcast_to(allowed(integers(shape)))


def flip(x: Tensor, axis: Any = None) -> Tensor:
    """In reverse along some axes, or all."""
    return x.flip(list(range(x.dim())) if axis is None else integers(axis))


def roll(x: Tensor, shift: Any, axis: Any = None) -> Tensor:
    """Around an axis: what falls off at the end comes in at the start."""
    return torch.roll(x, integers(shift), () if axis is None else integers(axis))


def pad(x: Tensor, pad_width: Any, constant_values: Any = None, mode: str = "constant") -> Tensor:
    """A constant before and after, along each axis."""
    if str(mode).lower() != "constant":
        raise ValueError(f"padding by {mode!r} is not supported")
    sides = [integers(side) for side in pad_width]
    if len(sides) != x.dim() or any(len(side) != 2 or min(side) < 0 for side in sides):
        raise ValueError("the padding does not name both sides of each axis")
    allowed([size + sum(side) for size, side in zip(x.shape, sides, strict=True)])
    flat = [count for side in reversed(sides) for count in side]
    return functional.pad(x, flat, value=float(constant_values or 0))


FUNCTIONS: dict[str, Callable[..., Tensor | tuple[Tensor, ...]]] = {
    "BroadcastTo": broadcast_to,
    "Concatenate": concatenate,
    "ExpandDims": expand_dims,
    "Flip": flip,
    "GetItem": get_item,
    "Moveaxis": move_axis,
    "Pad": pad,
    "Ravel": ravel,
    "Repeat": repeat,
    "Reshape": reshape,
    "Roll": roll,
    "Split": split,
    "Squeeze": squeeze,
    "Stack": stack,
    "Swapaxes": swap_axes,
    "Take": take,
    "TakeAlongAxis": take_along_axis,
    "Tile": tile,
    "Transpose": transpose,
    "Unstack": unstack,
}
TENSORFLOWS = (gather, split_sizes)
"""Functions of this kind that Keras 3 does not have."""
