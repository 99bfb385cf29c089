"""What the attributes of pickled modules say of a network beyond its tensors."""

from __future__ import annotations

import math
from typing import Any

from rnndiag.records import TorchModule

_TORCH = "torch.nn.modules."
_KINDS = {
    "Linear": "Dense",
    "Embedding": "Embedding",
    "LayerNorm": "LayerNormalization",
    "BatchNorm1d": "BatchNormalization",
}
_NONE = ""
"""The kind of what surrounds no recurrent layer in a way that rnndiag can follow."""


def kind_of(told: TorchModule | None) -> str | None:
    """Keras's name for a class of torch.nn; empty where none fits, None for other classes."""
    if told is None or not told.class_name.startswith(_TORCH):
        return None
    return _KINDS.get(told.class_name.rpartition(".")[2], _NONE)


def nonlinearity(told: TorchModule | None) -> str | None:
    """What ``nn.RNN`` or ``nn.RNNCell`` applies: tanh or relu."""
    settings = told.settings if told else {}
    # Cells have no mode, and modules written by torch before 1.0 nothing else.
    mode = str(settings.get("mode", "")).removeprefix("RNN_").lower()
    found = mode or settings.get("nonlinearity")
    return found if found in ("tanh", "relu") else None


def arguments(told: TorchModule | None) -> dict[str, Any]:
    """What a recurrent module was built with, as far as its tensors do not tell."""
    if told is None:
        return {}
    own = told.settings
    found: dict[str, Any] = {}
    if (activation := nonlinearity(told)) is not None:
        found["nonlinearity"] = activation
    if isinstance(own.get("batch_first"), bool):
        found["batch_first"] = own["batch_first"]
    if _is_share(own.get("dropout")):
        found["dropout"] = own["dropout"]
    return found


def epsilon(told: TorchModule | None) -> dict[str, float]:
    """A norm's ε, where its module tells it."""
    found = told.settings.get("eps") if told else None
    return {"epsilon": found} if isinstance(found, float) and 0 <= found < math.inf else {}


def _is_share(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1
