"""Recurrent weights that are stored, but not as numbers that can be used as they are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from rnndiag.checkpoints._pickles.objects import shown
from rnndiag.checkpoints._torch.tensors import is_weight

_RECURRENT = re.compile(r"(^|\.)_?(packed_)?(weight|bias)_(ih|hh)[^.]*$")
_PACKED = re.compile(r"(?P<layer>(.*\.)?_all_weight_values)\.\d+\.param")
"""torch's quantized LSTM and GRU keep one object for each layer and direction."""
_QUANTIZED = re.compile(r"(^|\.)quantized\..*\.(LSTM|GRU|RNN)(Cell)?$")
_WHY = "torch packed it for its quantized kernels, which alone can read it"


def of_mapping(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The names of such weights among the values of a state dict, each with the reason."""
    for name, value in values.items():
        packed = _PACKED.fullmatch(name)
        if packed:
            yield packed["layer"], _WHY
        elif _RECURRENT.search(name) and value is not None and not is_weight(value):
            yield name, _told(value)


def of_module(class_name: str) -> Iterator[tuple[str, str]]:
    """The same for a pickled module of torch's quantized ones."""
    if _QUANTIZED.search(class_name):
        yield "_all_weight_values", _WHY


def _told(value: Any) -> str:
    if isinstance(value, Tensor):
        kind = str(value.dtype).removeprefix("torch.")
        return f"it holds {kind}, which are no weights by themselves"
    return f"it is no tensor, but a {shown(getattr(value, 'name', type(value).__name__))}"
