"""Values as files have them, as the numbers and names that rules compare."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from typing import Any

_LARGEST_FLOAT32 = 3.4e38
_NAMES = (
    *("Adadelta", "Adafactor", "Adagrad", "Adam", "Adamax", "AdamW", "ASGD", "Ftrl", "Lamb"),
    *("LARS", "LBFGS", "Lion", "Muon", "Nadam", "NadamW", "RAdam", "RMSprop", "Rprop", "SGD"),
    *("SGDW", "SparseAdam"),
)
_CANONICAL = {name.lower(): name for name in _NAMES}
_CONSTRAINTS = {
    "maxnorm": ("MaxNorm", ("max_value", "m")),
    "minmaxnorm": ("MinMaxNorm", ("min_value", "max_value")),
    "unitnorm": ("UnitNorm", ()),
    "nonneg": ("NonNeg", ()),
}
"""Keras's constraints by name without case and underscores, with their numbers' names."""
_WEIGHT_REGULARIZERS = ("l1", "l2", "l1l2", "weightregularizer", "l1l2regularizer")
_DEFAULT_L2 = 0.01
"""Of Keras's ``"l2"`` and ``"l1_l2"``, where only the name is stored."""


def number(value: Any) -> float | None:
    """A finite number without float32's noise; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if abs(value) > _LARGEST_FLOAT32 or not math.isfinite(value):
        return None
    return _denoised(float(value))


def whole(value: Any) -> int | None:
    """A whole number of at least 1; None for anything else."""
    found = number(value)
    return int(found) if found is not None and found >= 1 and found == int(found) else None


def _denoised(value: float) -> float:
    """0.01 for 0.009999999776482582, which is float32's 0.01 read as a double."""
    short = float(f"{value:.7g}")
    return short if struct.unpack("f", struct.pack("f", short))[0] == value else value


def optimizer_name(value: Any) -> str | None:
    """``AdamW`` for ``torch.optim.AdamW``, ``adamw``, ``Addons>AdamW``; others as they are."""
    if not isinstance(value, str) or not value.strip():
        return None
    own = value.strip().rpartition(">")[2].rpartition(".")[2]
    flat = own.lower().replace("_", "").replace("-", "").removesuffix("optimizer")
    return _CANONICAL.get(flat, own)


def optimizer_names(value: str) -> str:
    """The same where a file leaves a choice: ``Adam or AdamW``."""
    return " or ".join(optimizer_name(name) or name for name in value.split(" or "))


# ---------------------------------------------------------------- Keras's objects


def _parts(value: Any) -> tuple[str, Mapping[str, Any]]:
    """Name and numbers of a stored object: ``{class_name, config}``, ``{name, …}`` or a name."""
    if isinstance(value, str):
        return value, {}
    if not isinstance(value, Mapping):
        return "", {}
    name = str(value.get("class_name") or value.get("name") or "")
    config = value.get("config", value)
    if isinstance(config, str):
        # A function of the user's own is stored by its name.
        return config, {}
    return name.rpartition(">")[2], config if isinstance(config, Mapping) else {}


def _flat(name: str) -> str:
    return name.lower().replace("_", "")


def l2_penalty(regularizer: Any) -> float | None:
    """λ of Keras's λ·Σw²; 0 where there is no regularizer.

    None where there is one that is not L2: it keeps weights small in a way that has no λ.
    """
    if regularizer is None:
        return 0.0
    name, numbers = _parts(regularizer)
    if isinstance(regularizer, str):
        return _DEFAULT_L2 if _flat(name) in ("l2", "l1l2") else None
    if _flat(name) not in _WEIGHT_REGULARIZERS:
        return None
    l1, l2 = (number(numbers.get(key, 0)) for key in ("l1", "l2"))
    return None if l2 == 0 and l1 != 0 else l2


def constraint(value: Any) -> str:
    """``MaxNorm 3``; ``""`` where there is none."""
    if value is None:
        return ""
    name, numbers = _parts(value)
    canonical, keys = _CONSTRAINTS.get(_flat(name), (name, ()))
    found = [number(numbers[key]) for key in keys if key in numbers]
    return " ".join([canonical, *(f"{value:g}" for value in found if value is not None)])


def activity(value: Any) -> str:
    """``L2 0.01``; ``""`` where there is none, or one that weighs nothing."""
    if value is None:
        return ""
    name, numbers = _parts(value)
    if _flat(name) not in _WEIGHT_REGULARIZERS or isinstance(value, str):
        return name
    found = {key.upper(): number(numbers.get(key, 0)) for key in ("l1", "l2")}
    return ", ".join(f"{key} {rate:g}" for key, rate in found.items() if rate)


def scheduled_rate(value: Any) -> float | None:
    """A learning rate; of a schedule the highest that it is stored with."""
    if not isinstance(value, Mapping):
        return number(value)
    _, numbers = _parts(value)
    rates = [numbers.get("initial_learning_rate"), numbers.get("warmup_target")]
    values = numbers.get("values")
    rates += values if isinstance(values, (list, tuple)) else []
    found = [rate for rate in map(number, rates) if rate is not None]
    return max(found, default=None)
