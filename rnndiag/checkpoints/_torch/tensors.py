"""Tensors of a file as arrays, converted one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from rnndiag import memory
from rnndiag.records import Array, Shape, StateDict


class LazyArrays(Mapping[str, Array]):
    """float32 arrays by name; each is fetched and converted once, when it is first asked for.

    A mapped file is thus read only where it is used: what is float32 in it stays there. Of
    half-precision weights, which are measured in float32, only those that are used take memory.
    """

    def __init__(self, names: Mapping[str, Shape], fetch: Callable[[str], Tensor]) -> None:
        self._names = names
        self._fetch = fetch
        self._arrays: dict[str, Array] = {}

    def __getitem__(self, name: str) -> Array:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._arrays:
            found = self._fetch(name).detach()
            if found.dtype is not torch.float32:
                memory.take(4 * found.numel(), f"the tensor {name}")
            self._arrays[name] = found.to(torch.float32).numpy()
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def lazy_state_dict(shapes: Mapping[str, Shape], fetch: Callable[[str], Tensor]) -> StateDict:
    """A state dict of tensors of known shapes, which `fetch` reads one by one."""
    return StateDict(tensors=LazyArrays(shapes, fetch), shapes=shapes)


def is_weight(value: Any) -> bool:
    """Whether `value` is a tensor of real numbers that a float32 array can hold.

    Integers in a state dict are counters, ids and positions, not weights.
    """
    return (
        isinstance(value, Tensor)
        and value.is_floating_point()
        and value.layout is torch.strided
        and value.device.type == "cpu"
    )


def aligned(tensor: Tensor) -> Tensor:
    """The tensor, copied if its numbers stand across the bounds that processors are built for."""
    if tensor.data_ptr() % tensor.element_size() == 0:
        return tensor
    memory.take(tensor.nbytes, "a tensor across those bounds")
    return tensor.clone()
