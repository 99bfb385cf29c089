"""What a network gives, as a list: tensors by name, from tuples, lists, dictionaries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

_ONLY = "output"


@dataclass(frozen=True, kw_only=True)
class Output:
    """One tensor of real numbers that the network gives."""

    name: str
    value: Tensor
    mask: Tensor | None = None
    """(B, T) bool of a packed sequence, true at its steps."""


def flat(result: Any) -> list[Output]:
    """All of them, in the order of the code; whole numbers and all else are left out."""
    found = list(_within(result, ""))
    if len(found) == 1:
        return [Output(name=_ONLY, value=found[0].value, mask=found[0].mask)]
    return found


def _within(result: Any, name: str) -> Iterator[Output]:
    if isinstance(result, PackedSequence):
        value, lengths = pad_packed_sequence(result, batch_first=True)
        mask = torch.arange(value.shape[1]) < lengths.unsqueeze(-1)
        yield Output(name=name or _ONLY, value=value, mask=mask.to(value.device))
    elif isinstance(result, Tensor):
        if result.is_floating_point():
            yield Output(name=name or _ONLY, value=result)
    else:
        for key, item in _items(result, bool(name)):
            yield from _within(item, f"{name}.{key}" if name else key)


def _items(result: Any, nested: bool) -> Iterator[tuple[str, Any]]:
    if isinstance(result, Mapping):
        yield from ((str(key), item) for key, item in result.items())
    elif isinstance(result, (tuple, list)):
        names = getattr(result, "_fields", None) or [
            str(k) if nested else f"{_ONLY}_{k}" for k in range(len(result))
        ]
        yield from zip(names, result, strict=True)
    elif is_dataclass(result) and not isinstance(result, type):
        yield from ((own.name, getattr(result, own.name)) for own in fields(result))
