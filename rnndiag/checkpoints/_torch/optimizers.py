"""The optimizers in a checkpoint of PyTorch: their kinds, groups and buffers.

An optimizer's state dict knows no names: it numbers the parameters, group by group, in the
order in which the optimizer was given them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from rnndiag.records import Shape

_SIGNS = {
    "Adadelta": {"rho"},
    "Adagrad": {"lr_decay", "initial_accumulator_value"},
    "NAdam": {"betas", "momentum_decay"},
    "Adam": {"betas", "amsgrad"},
    "RMSprop": {"alpha", "centered"},
    "SGD": {"dampening", "nesterov"},
}
"""torch.optim's classes by settings that give them away; a state dict does not name them."""
_LIKE_PARAMETER = ("exp_avg", "exp_avg_sq", "momentum_buffer", "square_avg", "sum", "exp_inf")
"""Buffers that have the shape of their parameter."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Slot:
    """One parameter as its optimizer knows it."""

    source: str
    """The group it is in: ``optimizer.param_groups[0]``."""
    kind: str | None
    settings: Mapping[str, Any]
    """The group's."""
    buffers: Mapping[str, Any]
    name: str | None = None
    """Newer files tell the name that the optimizer was given."""

    @property
    def shape(self) -> Shape | None:
        """The parameter's; None where no buffer tells."""
        told = (self.buffers.get(name) for name in _LIKE_PARAMETER)
        return next((tuple(item.shape) for item in told if isinstance(item, Tensor)), None)


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """One optimizer's parameters, by group and in its own order."""

    source: str
    groups: tuple[tuple[Slot, ...], ...]


def find(content: Any) -> Iterator[Optimizer]:
    """The optimizers at the top of a file, or in lists there."""
    entries = content.items() if isinstance(content, Mapping) else ()
    for key, value in entries:
        yield from _within(str(key), value)


def kind_of(group: Mapping[str, Any]) -> str | None:
    """The class of torch.optim that has a group like this one."""
    kind = next((name for name, own in _SIGNS.items() if own <= group.keys()), None)
    if kind == "Adam":
        # AdamW shares every setting with Adam; only newer files tell them apart.
        decoupled = group.get("decoupled_weight_decay")
        return "Adam or AdamW" if decoupled is None else "AdamW" if decoupled else "Adam"
    return kind


def groups_of(state: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """An optimizer's parameter groups."""
    return [group for group in state["param_groups"] if isinstance(group, Mapping)]


def _within(key: str, value: Any) -> Iterator[Optimizer]:
    if isinstance(value, (list, tuple)):
        for place, item in enumerate(value):
            if isinstance(item, Mapping):
                yield from _within(f"{key}[{place}]", item)
    elif isinstance(value, Mapping) and "param_groups" in value:
        buffers = value.get("state")
        known = buffers if isinstance(buffers, Mapping) else {}
        groups = enumerate(groups_of(value))
        yield Optimizer(
            source=key,
            groups=tuple(
                tuple(_slots(f"{key}.param_groups[{place}]", group, known))
                for place, group in groups
            ),
        )


def _slots(source: str, group: Mapping[str, Any], buffers: Mapping[Any, Any]) -> Iterator[Slot]:
    numbers = list(group.get("params") or ())
    told = group.get("param_names")
    names = told if isinstance(told, list) and len(told) == len(numbers) else [None] * len(numbers)
    for number, name in zip(numbers, names, strict=True):
        own = buffers.get(number)
        yield Slot(
            source=source,
            kind=kind_of(group),
            settings=group,
            buffers=own if isinstance(own, Mapping) else {},
            name=None if name is None else str(name),
        )
