"""Which of the mappings in a checkpoint is the model: they are nested in many ways."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from rnndiag.checkpoints._pickles.objects import StandIn, shown
from rnndiag.checkpoints._torch.modules import is_module, tree_of
from rnndiag.checkpoints._torch.tensors import aligned, is_weight, lazy_state_dict
from rnndiag.errors import UnsupportedCheckpoint
from rnndiag.records import StateDict, TorchModule

_DEEPEST = 5
_TRAINING = re.compile(r"optim|sched|callbacks?$|^loops$|(^|_)opt(_|$)", re.IGNORECASE)
"""Keys of what belongs to the training; its buffers have the weights' shapes."""
_COPY = re.compile(
    r"(^|[_.])(ema|swa|avg|averaged?|shadow|best|teacher|target)([_.]|$)", re.IGNORECASE
)
"""Keys of further copies of the weights beside those that were trained."""
_CONTAINERS = ("model", "model_state", "model_state_dict", "net", "network", "state_dict")
_SHOWN = 8
"""Keys that a message names."""
_LONGEST_KEY = 2000


@dataclass(frozen=True, kw_only=True)
class Model:
    """The tensors that are the model, and what was chosen among."""

    tensors: Mapping[str, Tensor]
    modules: Mapping[str, TorchModule] = field(default_factory=dict)
    """By their paths, where the file holds them and not only their tensors."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Candidate:
    """A mapping of tensors, and the keys that lead to it."""

    keys: tuple[str, ...]
    tensors: Mapping[str, Tensor]
    modules: Mapping[str, TorchModule] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return ".".join(self.keys)

    @property
    def recurrent(self) -> bool:
        return any("weight_hh" in name for name in self.tensors)

    def repeats(self, other: _Candidate) -> bool:
        """Whether this is another copy of the same network's weights."""
        alike = _shapes(self.tensors) == _shapes(other.tensors)
        containers = all(c.keys and c.keys[-1] in _CONTAINERS for c in (self, other))
        return alike and (containers or bool(_COPY.search(self.path)))


def _shapes(tensors: Mapping[str, Tensor]) -> Counter[tuple[str, tuple[int, ...]]]:
    """Last parts of the names with shapes; the copies' prefixes differ."""
    return Counter((name.rpartition(".")[2], tuple(t.shape)) for name, t in tensors.items())


def find_model(path: Path, content: Any) -> Model:
    """The model's tensors, several networks side by side under their keys.

    Where there are copies, those that were trained are taken before averaged ones.
    Raises `UnsupportedCheckpoint` where there are no tensors.
    """
    candidates = list(_candidates(content, (), set()))
    if not candidates:
        raise _no_state_dict(path, content)
    recurrent = [candidate for candidate in candidates if candidate.recurrent]
    chosen: list[_Candidate] = []
    copies: list[_Candidate] = []
    for candidate in sorted(recurrent or candidates, key=lambda c: bool(_COPY.search(c.path))):
        repeated = any(candidate.repeats(other) for other in chosen)
        (copies if repeated else chosen).append(candidate)
    if len(chosen) == 1:
        only = chosen[0]
        return Model(tensors=only.tensors, modules=only.modules, notes=_notes(chosen, copies))
    together = {".".join((*c.keys, name)): t for c in chosen for name, t in c.tensors.items()}
    modules = {
        ".".join(filter(None, (*c.keys, path))): own
        for c in chosen
        for path, own in c.modules.items()
    }
    return Model(tensors=together, modules=modules, notes=_notes(chosen, copies))


def state_dict(model: Model) -> StateDict:
    """The model's tensors as a checkpoint's content; their numbers are read when asked for."""
    shapes = {name: tuple(tensor.shape) for name, tensor in model.tensors.items()}
    content = lazy_state_dict(shapes, lambda name: aligned(model.tensors[name]))
    return replace(content, modules=model.modules)


def _candidates(value: Any, keys: tuple[str, ...], seen: set[int]) -> Iterator[_Candidate]:
    """Mappings of tensors within `value`, none of which belongs to an optimizer.

    `seen` has the id of each container that was looked into: a pickle may hold one in itself,
    or in many places.
    """
    if len(keys) > _DEEPEST or (isinstance(value, Mapping) and "param_groups" in value):
        return
    if not isinstance(value, (Mapping, list, tuple)) or id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, StandIn) and is_module(value):
        tree = tree_of(value)
        if any(tensor.dim() for tensor in tree.tensors.values()):
            yield _Candidate(keys=keys, tensors=tree.tensors, modules=tree.modules)
        return
    children = _children(value)
    own = {name: item for name, item in children.items() if is_weight(item)}
    if any(tensor.dim() for tensor in own.values()) and isinstance(value, Mapping):
        yield _Candidate(keys=keys, tensors=own)
    for name, item in children.items():
        if not _TRAINING.search(name):
            yield from _candidates(item, (*keys, name), seen)


def _children(value: Mapping[Any, Any] | Sequence[Any]) -> dict[str, Any]:
    if isinstance(value, Mapping):
        named = ((name, item) for name, item in value.items() if isinstance(name, str))
        return {name: item for name, item in named if len(name) <= _LONGEST_KEY}
    return {str(place): item for place, item in enumerate(value)}


def _notes(chosen: Sequence[_Candidate], copies: Sequence[_Candidate]) -> tuple[str, ...]:
    if len(chosen) + len(copies) == 1:
        return ()
    used = ", ".join(repr(candidate.path) for candidate in chosen)
    left = ", ".join(repr(candidate.path) for candidate in copies)
    return (f"weights from {used}" + (f"; left out as copies: {left}" if left else ""),)


def _no_state_dict(path: Path, content: Any) -> UnsupportedCheckpoint:
    is_object = isinstance(content, StandIn)
    what = f"a {shown(content.name) if is_object else type(content).__name__}"
    if isinstance(content, Mapping):
        names = [shown(name) for name in content if isinstance(name, str)]
        more = ", …" if len(names) > _SHOWN else ""
        what += f" with the keys {', '.join(names[:_SHOWN])}{more}" if names else " that is empty"
    return UnsupportedCheckpoint(
        f"{path}: holds no state dict, but {what}",
        "save the weights: torch.save(model.state_dict(), 'weights.pt')",
    )
