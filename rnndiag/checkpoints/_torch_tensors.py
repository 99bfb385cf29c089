"""Tensors of a file as arrays, converted one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from rnndiag.records import Array


class LazyArrays(Mapping[str, Array]):
    """float32 arrays by name; each is fetched and converted whenever it is asked for.

    A mapped file is thus read only where it is used, and half-precision weights, which are
    measured in float32, never lie in memory all at once in both forms.
    """

    def __init__(self, names: Iterable[str], fetch: Callable[[str], Tensor]) -> None:
        self._names = dict.fromkeys(names)
        self._fetch = fetch

    def __getitem__(self, name: str) -> Array:
        if name not in self._names:
            raise KeyError(name)
        array: Array = self._fetch(name).detach().to(torch.float32).numpy()
        return array

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


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
