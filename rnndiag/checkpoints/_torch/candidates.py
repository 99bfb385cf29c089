"""The mappings of tensors in a checkpoint that may be its model, and copies of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from rnndiag.checkpoints._pickles.objects import StandIn
from rnndiag.checkpoints._torch import unread
from rnndiag.checkpoints._torch.modules import is_module, tree_of
from rnndiag.checkpoints._torch.tensors import is_weight
from rnndiag.records import TorchModule

TRAINING = re.compile(r"optim|sched|callbacks?$|^loops$|(^|_)opt(_|$)", re.IGNORECASE)
"""Keys of what belongs to the training; its buffers have the weights' shapes."""
_AVERAGES = "ema|swa|avg|averaged?|shadow"
AVERAGE = re.compile(rf"(^|[_.])({_AVERAGES})([_.]|$)", re.IGNORECASE)
"""Keys of averages of the weights over the training."""
COPY = re.compile(rf"(^|[_.])({_AVERAGES}|best|teacher|target)([_.]|$)", re.IGNORECASE)
"""Keys of further copies of the weights beside those that were trained, averages among them."""
_CONTAINERS = ("model", "model_state", "model_state_dict", "net", "network", "state_dict")
_AVERAGED = "n_averaged"
"""What torch.optim.swa_utils.AveragedModel counts, beside the weights in ``module``."""
_DEEPEST = 5
_LONGEST_KEY = 2000


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A mapping of tensors, and the keys that lead to it."""

    keys: tuple[str, ...]
    tensors: Mapping[str, Tensor]
    modules: Mapping[str, TorchModule] = field(default_factory=dict)
    unread: Mapping[str, str] = field(default_factory=dict)
    """As `StateDict.unread`."""
    named: bool = True
    """Whether the tensors have names; lists of averages have none."""
    averaged: bool = False
    """Whether it counts the weights that it is the average of."""

    @property
    def path(self) -> str:
        """The keys as a message names them."""
        return ".".join(self.keys)

    @property
    def recurrent(self) -> bool:
        """Whether a recurrent layer's names are in it."""
        return any("weight_hh" in name for name in self.tensors) or bool(self.unread)

    @property
    def is_copy(self) -> bool:
        """Whether it says of itself that there are other weights which were trained."""
        return self.averaged or bool(COPY.search(self.path))

    def repeats(self, other: Candidate) -> bool:
        """Whether this is another copy of the same network's weights, or those once more."""
        if self.tensors and all(self.tensors.get(name) is t for name, t in other.tensors.items()):
            return len(self.tensors) == len(other.tensors)
        alike = _shapes(self.tensors) == _shapes(other.tensors)
        containers = all(c.keys and c.keys[-1] in _CONTAINERS for c in (self, other))
        return alike and (containers or self.is_copy)


def find(content: Any) -> list[Candidate]:
    """Every mapping of tensors within a file, none of which belongs to an optimizer."""
    return list(_candidates(content, (), Counter()))


def _candidates(value: Any, keys: tuple[str, ...], seen: Counter[int]) -> Iterator[Candidate]:
    """Those within `value`; what stands in a second place, there once more.

    `seen` counts the containers that were looked into, by their ids: a pickle may hold one in
    itself, or in a million places.
    """
    if len(keys) > _DEEPEST or (isinstance(value, Mapping) and "param_groups" in value):
        return
    if not isinstance(value, (Mapping, list, tuple)) or seen[id(value)] > 1:
        return
    seen[id(value)] += 1
    if isinstance(value, StandIn) and is_module(value):
        yield from _of_module(value, keys)
        return
    children = _children(value)
    yield from _of_children(children, keys, named=isinstance(value, Mapping))
    for name, item in children.items():
        # Of what is here a second time, all that is within it was found the first time.
        if seen[id(value)] == 1 and not TRAINING.search(name):
            yield from _candidates(item, (*keys, name), seen)


def _of_module(value: StandIn, keys: tuple[str, ...]) -> Iterator[Candidate]:
    tree = tree_of(value)
    if tree.unread or any(tensor.dim() for tensor in tree.tensors.values()):
        yield Candidate(keys=keys, tensors=tree.tensors, modules=tree.modules, unread=tree.unread)


def _of_children(
    children: Mapping[str, Any], keys: tuple[str, ...], *, named: bool
) -> Iterator[Candidate]:
    """The tensors that stand in one container; a list's are a copy's, or nothing."""
    own = {name: item for name, item in children.items() if is_weight(item)}
    packed = dict(unread.of_mapping(children)) if named else {}
    if not packed and not any(tensor.dim() for tensor in own.values()):
        return
    if not named:
        if COPY.search(".".join(keys)):
            yield Candidate(keys=keys, tensors=own, named=False)
        return
    copies = _copies(own)
    rest = {name: tensor for name, tensor in own.items() if name.partition(".")[0] not in copies}
    yield Candidate(keys=keys, tensors=rest, unread=packed, averaged=_AVERAGED in children)
    for prefix in copies:
        copied = {name: t for name, t in own.items() if name.partition(".")[0] == prefix}
        yield Candidate(keys=(*keys, prefix), tensors=copied)


def _copies(tensors: Mapping[str, Tensor]) -> list[str]:
    """The first parts of names that tell of copies of what stands below another first part."""
    parts: dict[str, dict[str, tuple[int, ...]]] = {}
    for name, tensor in tensors.items():
        first, _, rest = name.partition(".")
        parts.setdefault(first, {})[rest] = tuple(tensor.shape)
    said = [first for first in parts if COPY.search(first)]
    return [
        first for first in said if any(parts[first] == parts[o] for o in parts if o not in said)
    ]


def _children(value: Mapping[Any, Any] | Sequence[Any]) -> dict[str, Any]:
    if isinstance(value, Mapping):
        named = ((name, item) for name, item in value.items() if isinstance(name, str))
        return {name: item for name, item in named if len(name) <= _LONGEST_KEY}
    return {str(place): item for place, item in enumerate(value)}


def _shapes(tensors: Mapping[str, Tensor]) -> Counter[tuple[str, tuple[int, ...]]]:
    """Last parts of the names with shapes; the copies' prefixes differ."""
    return Counter((name.rpartition(".")[2], tuple(t.shape)) for name, t in tensors.items())
