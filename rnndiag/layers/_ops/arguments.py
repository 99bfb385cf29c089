"""What an operation was called with, as configurations store it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Slot:
    """The place of an operation's `position`-th tensor among its arguments."""

    position: int


_HARMLESS = ("name", "out_type", "output_type", "incompatible_shape_error", "num_split")
"""Arguments that change no value: names, which integers places are counted in, sizes that
others tell again."""
_ARRAYS = ("__numpy__", "__tensor__")
_BOUNDS = {"start", "stop", "step"}


def decoded(value: Any) -> Any:
    """Slices, arrays and tuples from their stored form; lists and numbers as they are.

    Raises `ValueError` for a stored object of any other kind.
    """
    if isinstance(value, Mapping):
        return _object(value)
    return [decoded(item) for item in value] if isinstance(value, (list, tuple)) else value


def filled(value: Any, tensors: Sequence[Any]) -> Any:
    """Decoded arguments with the tensors in their slots."""
    if isinstance(value, Slot):
        return tensors[value.position]
    if isinstance(value, slice):
        return slice(*(filled(bound, tensors) for bound in (value.start, value.stop, value.step)))
    return [filled(item, tensors) for item in value] if isinstance(value, list) else value


def accepted(function: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The keyword arguments for `function`, without those that only switch something off.

    Raises `ValueError` for one that would change what it computes.
    """
    parameters = inspect.signature(function).parameters
    others = {key: value for key, value in given.items() if key not in (*parameters, *_HARMLESS)}
    for key, value in others.items():
        if value is not None and value is not False:
            raise ValueError(f"its argument {key!r} is not supported")
    return {key: value for key, value in given.items() if key in parameters}


def _object(value: Mapping[str, Any]) -> Any:
    kind, config = value.get("class_name"), value.get("config")
    if set(value) == _BOUNDS:
        return _slice(value)
    if kind == "__ellipsis__":
        return ...
    if kind == "__tuple__":
        return decoded(value["items"])
    if kind == "__slice__" and isinstance(config, Mapping):
        return _slice(config)
    if kind in _ARRAYS and isinstance(config, Mapping):
        return torch.tensor(config["value"], dtype=dtype(config["dtype"]))
    raise ValueError(f"an argument of the kind {kind!r} is not supported")


def _slice(bounds: Mapping[str, Any]) -> slice:
    return slice(*(decoded(bounds.get(name)) for name in ("start", "stop", "step")))


def dtype(name: Any) -> torch.dtype:
    """The type to compute in: the whole network runs in single precision.

    Raises `ValueError` for a type that is not a number's.
    """
    if name in ("float16", "bfloat16", "float32", "float64"):
        return torch.float32
    found = getattr(torch, name, None) if isinstance(name, str) else None
    if isinstance(found, torch.dtype) and (name == "bool" or "int" in str(name)):
        return found
    raise ValueError(f"the type {name!r} is not supported")


def tensor(value: Any, like: Tensor | None = None) -> Tensor:
    """A tensor as it is; numbers and lists of them as one, beside `like`."""
    if isinstance(value, Tensor):
        return value if like is None else value.to(like.device)
    if isinstance(value, list) and any(isinstance(item, Tensor) for item in value):
        return torch.stack([tensor(item, like) for item in value])
    return torch.as_tensor(value, device=None if like is None else like.device)


def tensors(value: Any) -> list[Tensor]:
    """The tensors of a list; a list of one may come as the tensor alone."""
    if not isinstance(value, list):
        return [tensor(value)]
    like = next((item for item in value if isinstance(item, Tensor)), None)
    return [tensor(item, like) for item in value]


def integers(value: Any) -> list[int]:
    """Sizes or axes: one or a list, each a number or a tensor of one."""
    if isinstance(value, Tensor):
        value = value.tolist()
    return list(map(int, value)) if isinstance(value, list) else [int(value)]


_LARGEST = 2**28
"""Elements of a result that a configuration may ask for: 1 GiB."""


def allowed(sizes: Sequence[int]) -> list[int]:
    """Sizes of a result that fits; raises `ValueError` where they ask for too much memory."""
    total = 1
    for size in sizes:
        total *= size
    if total > _LARGEST:
        raise ValueError(f"a result of shape {tuple(sizes)} is too large")
    return list(sizes)
