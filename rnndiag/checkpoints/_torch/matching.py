"""Which of the model's tensors each of an optimizer's numbers stands for.

Each parameter group keeps the model's order, and a buffer has its parameter's shape. All ways
to deal the tensors out that respect both are followed at once; what comes out the same in
each of them is certain, and nothing else is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from rnndiag.checkpoints._torch.optimizers import Optimizer, Slot
from rnndiag.printable import first_of
from rnndiag.records import Shape

_NOT_TRAINED = re.compile(r"(^|[._])(running_mean|running_var|num_batches_tracked|mask)$")
"""Buffers, which no optimizer is given."""
_RECURRENT = re.compile(r"(^|\.)(weight|bias)_(ih|hh)")
_MOST_STATES = 50_000
"""Ways are followed as far as this, about half a second."""
_SHOWN = 4
"""Parameters that a note names."""

Position = tuple[int, ...]
"""How many parameters of each group are dealt with."""
Choice = tuple[int, int] | None
"""A tensor's group and its place in it; None where no group has it."""


class _Unclear(Exception):
    """Nothing can be said; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Matched:
    """What the optimizers know of the model's tensors."""

    candidates: Mapping[str, tuple[Slot, ...]]
    """The parameters that each tensor can be, by its name; those alone that some group has in
    every way to deal them out. One candidate is a certain match."""
    notes: tuple[str, ...] = ()


def is_recurrent(name: str) -> bool:
    """Whether a tensor is named like a weight or bias of a recurrent layer."""
    return _RECURRENT.search(name) is not None


def match(optimizers: Sequence[Optimizer], tensors: Mapping[str, Tensor]) -> Matched:
    """Match the parameters of every optimizer with the model's tensors."""
    shapes = {name: tuple(tensors[name].shape) for name in _trainable(tensors)}
    found: dict[str, tuple[Slot, ...]] = {}
    notes: list[str] = []
    claims: Counter[str] = Counter()
    for optimizer in optimizers:
        try:
            own = _candidates(optimizer, shapes)
        except _Unclear as why:
            notes += _note(optimizer, str(why), shapes)
            continue
        claims.update(list(own))
        found |= own
        unclear = [n for n, slots in own.items() if len(slots) > 1 and is_recurrent(n)]
        notes += _ambiguous(optimizer, unclear)
    twice = {name for name, count in claims.items() if count > 1}
    if any(map(is_recurrent, twice)):
        notes.append(
            "several optimizers fit the same parameters: which one trained them is unclear"
        )
    kept = {name: slots for name, slots in found.items() if name not in twice}
    return Matched(candidates=kept, notes=tuple(notes))


def _trainable(tensors: Mapping[str, Tensor]) -> Iterator[str]:
    """The names of possible parameters; tied ones are given to an optimizer once."""
    seen = set()
    for name, tensor in tensors.items():
        place = (tensor.data_ptr(), tensor.stride(), tensor.shape)
        if _NOT_TRAINED.search(name) or (tensor.numel() and place in seen):
            continue
        seen.add(place)
        yield name


def _note(optimizer: Optimizer, why: str, names: Mapping[str, Shape]) -> list[str]:
    return [f"{optimizer.source}: {why}"] if any(map(is_recurrent, names)) else []


def _ambiguous(optimizer: Optimizer, names: Sequence[str]) -> list[str]:
    if not names:
        return []
    return [
        f"{optimizer.source}: shapes and order do not tell for certain which parameters are "
        f"{first_of(names, _SHOWN)}"
    ]


# ---------------------------------------------------------------- one optimizer


def _candidates(optimizer: Optimizer, shapes: Mapping[str, Shape]) -> dict[str, tuple[Slot, ...]]:
    """The slots that each tensor can be; raises `_Unclear`."""
    choices = _Dealing(optimizer.groups, list(shapes.items())).choices()
    found = {}
    for name, possible in zip(shapes, choices, strict=True):
        slots = [optimizer.groups[c[0]][c[1]] for c in sorted(c for c in possible if c)]
        if slots and None not in possible:
            found[name] = tuple(slots)
    return found


class _Dealing:
    """All ways to deal tensors out to groups, in order."""

    def __init__(
        self, groups: Sequence[Sequence[Slot]], tensors: Sequence[tuple[str, Shape]]
    ) -> None:
        self.groups = groups
        self.tensors = tensors
        self.end: Position = tuple(map(len, groups))
        self.spare = len(tensors) - sum(self.end)
        self.shapes = [[slot.shape for slot in group] for group in groups]

    def choices(self) -> list[set[Choice]]:
        """What each tensor is in at least one complete way; raises `_Unclear`."""
        if self.spare < 0:
            raise _Unclear(
                f"it has {sum(self.end)} parameters, but the model only {len(self.tensors)}"
            )
        reached = self._reached()
        alive: set[Position] = {self.end} & reached[-1]
        if not alive:
            raise _Unclear("its parameters do not fit the model's in shapes and order")
        found: list[set[Choice]] = []
        for place in reversed(range(len(self.tensors))):
            ways = [
                (position, choice)
                for position in reached[place]
                for choice, after in self._steps(place, position)
                if after in alive
            ]
            alive = {position for position, _ in ways}
            found.append({choice for _, choice in ways})
        return found[::-1]

    def _reached(self) -> list[set[Position]]:
        """The positions that can be reached before each tensor, and behind the last."""
        reached: list[set[Position]] = [{(0,) * len(self.groups)}]
        states = 1
        for place in range(len(self.tensors)):
            steps = (self._steps(place, position) for position in reached[-1])
            reached.append({after for own in steps for _, after in own})
            states += len(reached[-1])
            if states > _MOST_STATES:
                raise _Unclear("its groups fit the model's parameters in too many ways to follow")
        return reached

    def _steps(self, place: int, position: Position) -> Iterator[tuple[Choice, Position]]:
        """What the tensor at `place` can be, and where that leads."""
        if place - sum(position) < self.spare:
            yield None, position
        for group, done in enumerate(position):
            if done < self.end[group] and self._fits(place, group, done):
                yield (group, done), (*position[:group], done + 1, *position[group + 1 :])

    def _fits(self, place: int, group: int, done: int) -> bool:
        name, shape = self.tensors[place]
        told = self.groups[group][done].name
        named = told is None or f".{name}".endswith(f".{told}") or f".{told}".endswith(f".{name}")
        return named and self.shapes[group][done] in (None, shape)
