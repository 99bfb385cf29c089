"""Keras's serialized objects as the calls that make them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rnndiag.snippets._code import Expression, call, literal

_MODULES = {
    "initializer": "keras.initializers",
    "regularizer": "keras.regularizers",
    "constraint": "keras.constraints",
    "activation": "keras.layers",
}
"""Where the classes stand, by how the argument's name ends."""
_USUAL = (("gain", 1.0), ("axis", 0))
"""What Orthogonal and the constraints have unless told otherwise."""
_GLOROT = {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform"}


def expression(key: str, value: Any) -> Expression:
    """What to write for one argument of a layer, given as Keras stores it."""
    if not isinstance(value, Mapping) or "class_name" not in value:
        return literal(value)
    kind, config = str(value["class_name"]), value.get("config")
    if not isinstance(config, Mapping):
        # A function of the user's own, stored by its name.
        return str(config or kind)
    if key.endswith("_regularizer") and kind in ("L1", "L2", "L1L2"):
        return penalty(config.get("l1", 0.0), config.get("l2", 0.0)) or "None"
    if kind == "VarianceScaling" and {k: config.get(k) for k in _GLOROT} == _GLOROT:
        # Keras up to 2.2 stored its Glorot initializers as what they are made of.
        return call("keras.initializers.GlorotUniform")
    given = {k: v for k, v in config.items() if v is not None and (k, v) not in _USUAL}
    return call(_class(key, value), **{k: expression(k, v) for k, v in given.items()})


def _class(key: str, value: Mapping[str, Any]) -> str:
    """The class with its module; a registered one is the user's own and has none."""
    kind = str(value["class_name"]).rsplit(">", 1)[-1]
    if value.get("registered_name"):
        return kind
    module = value.get("module") or _MODULES[key.rsplit("_", 1)[-1]]
    return f"{module}.{kind}"


def penalty(l1: float, l2: float) -> Expression | None:
    """The regularizer with these two factors; None where both are 0."""
    if l1 and l2:
        factors = {"l1": literal(float(l1)), "l2": literal(float(l2))}
        return call("keras.regularizers.L1L2", **factors)
    for name, factor in (("L1", l1), ("L2", l2)):
        if factor:
            return call(f"keras.regularizers.{name}", literal(float(factor)))
    return None


def l1_of(stored: Any) -> float:
    """The factor of |w| in a stored regularizer."""
    return _factor(stored, "l1")


def l2_of(stored: Any) -> float:
    """The factor of w² in a stored regularizer."""
    return _factor(stored, "l2")


def _factor(stored: Any, name: str) -> float:
    config = stored.get("config") if isinstance(stored, Mapping) else None
    return float(config.get(name) or 0.0) if isinstance(config, Mapping) else 0.0
