"""Every tensor in what a pickle describes, by name and shape: what there is to account for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from rnndiag.checkpoints._pickles.objects import StandIn
from rnndiag.checkpoints._torch.candidates import AVERAGE, COPY, TRAINING
from rnndiag.checkpoints._torch.state import COPIED, Model
from rnndiag.records import Role, StoredArray

_OPTIMIZER = re.compile(r"optim|(^|_)opt(_|$)", re.IGNORECASE)
_SILENT = ("_parameters", "_buffers", "_modules")
"""Attributes of a module that its state dict does not name."""
_SHOWN = 20
"""Parts of a name; a pickle may nest as deep as it likes."""
_LONGEST = 200
_NO_COPY = "its name calls it a copy, but it repeats no weights of the network"
_AVERAGED = "a copy: averaged weights"
_NUMPY = "multiarray._reconstruct"
_Path = tuple[Any, ...]
"""A key and the path before it, so that deep ones share their parts."""


@dataclass(frozen=True)
class _Place:
    """A value that is to be looked into."""

    value: Any
    path: _Path | None
    role: Role | None


def stored(content: Any, model: Model) -> tuple[StoredArray, ...]:
    """The tensors of a file, each once, however many names lead to it."""
    names = {id(tensor): name for name, tensor in model.tensors.items()}
    return tuple(
        _numpy(place) if _is_numpy(place.value) else _tensor(place, model, names)
        for place in _arrays(_Place(content, None, None))
    )


def apart(content: Any, name: str, role: Role, reason: str) -> Iterator[StoredArray]:
    """The tensors of a further pickle, called `name`, which has nothing of the network."""
    for place in _arrays(_Place(content, (name, None), role)):
        if isinstance(place.value, Tensor):
            shape = tuple(place.value.shape)
            yield StoredArray(name=_name(place.path), shape=shape, role=role, reason=reason)


def _arrays(start: _Place) -> Iterator[_Place]:
    """The tensors and NumPy's arrays below a value, in order, each once."""
    seen: set[int] = set()
    waiting = [start]
    while waiting:
        place = waiting.pop()
        value = place.value
        if not isinstance(value, (Tensor, Mapping, list, tuple)) or id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, Tensor) or _is_numpy(value):
            yield place
        else:
            waiting += list(_children(place))[::-1]


def _tensor(place: _Place, model: Model, names: Mapping[int, str]) -> StoredArray:
    tensor, name = place.value, _name(place.path)
    shape, parameter = tuple(tensor.shape), names.get(id(tensor))
    if parameter is not None:
        return StoredArray(name=name or parameter, shape=shape, parameter=parameter)
    reason = model.left_out.get(id(tensor))
    if reason == COPIED:
        told = _AVERAGED if AVERAGE.search(name) else reason
        return StoredArray(name=name, shape=shape, role="copied", reason=told)
    if place.role not in (None, "copied"):
        return StoredArray(name=name, shape=shape, role=place.role, reason=reason)
    if not tensor.is_floating_point():
        kind = str(tensor.dtype).removeprefix("torch.")
        whole = not (tensor.is_complex() or tensor.is_quantized)
        role: Role = "bookkeeping" if whole else "not_analysed"
        return StoredArray(name=name, shape=shape, role=role, reason=f"it holds {kind}")
    reason = reason or (_NO_COPY if place.role else "it is not among the weights of a network")
    return StoredArray(name=name, shape=shape, role="not_analysed", reason=reason)


def _is_numpy(value: Any) -> bool:
    return isinstance(value, StandIn) and value.name.endswith(_NUMPY)


def _numpy(place: _Place) -> StoredArray:
    """An array of NumPy, of which the pickle tells version, shape, type, order and bytes."""
    state = place.value.state
    told = state[1] if isinstance(state, tuple) and len(state) > 1 else ()
    sizes = told if isinstance(told, tuple) else ()
    shape = tuple(size for size in sizes if isinstance(size, int))
    role = "not_analysed" if place.role in (None, "copied") else place.role
    reason = "an array of NumPy, not a tensor" if role == "not_analysed" else None
    return StoredArray(name=_name(place.path), shape=shape, role=role, reason=reason)


def _children(place: _Place) -> Iterator[_Place]:
    value = place.value
    optimizer = isinstance(value, Mapping) and "param_groups" in value
    role = place.role or ("optimizer" if optimizer else None)
    if isinstance(value, Mapping):
        for key, item in value.items():
            path = place.path if key in _SILENT else (key, place.path)
            yield _Place(item, path, role or _role(key))
    else:
        for number, item in enumerate(value):
            yield _Place(item, (number, place.path), role)
    if isinstance(value, StandIn):
        for held in (value.arguments, value.state):
            yield _Place(held, place.path, role)


def _role(key: Any) -> Role | None:
    """What a key says of all that stands below it."""
    if not isinstance(key, str) or len(key) > _LONGEST:
        return None
    if _OPTIMIZER.search(key):
        return "optimizer"
    if COPY.search(key):
        return "copied"
    return "bookkeeping" if TRAINING.search(key) else None


def _name(path: _Path | None) -> str:
    parts: list[str] = []
    while path is not None and len(parts) < _SHOWN:
        key, path = path
        parts.append(str(key)[:_LONGEST] if isinstance(key, (str, int)) else type(key).__name__)
    return ".".join(("…", *parts[::-1]) if path is not None else parts[::-1])
