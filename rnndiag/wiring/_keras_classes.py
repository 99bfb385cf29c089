"""What a layer's class is: Keras's own, an operation, or somebody's custom one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rnndiag.dialects import is_keras3
from rnndiag.records import Writer

Config = Mapping[str, Any]

MODELS = ("Sequential", "Functional", "Model")
_OWN = ("keras", "tf_keras", "tensorflow")
_WITHOUT_FLAG = ("InputLayer", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D")
"""Keras 3's own layers whose configuration does not say whether they are trainable."""


def is_functional(config: Config) -> bool:
    """Whether a configuration wires its layers, whatever the model's class is called."""
    return isinstance(config["config"], Mapping) and "output_layers" in config["config"]


def is_operation(config: Config, writer: Writer) -> bool:
    """Keras 3 keeps operations among the layers; some have the same names as layers.

    Newer files give the module; in an .h5 file an operation's configuration holds no more
    than its name and parameters.
    """
    if not is_keras3(writer):
        return False
    module = config.get("module")
    if isinstance(module, str):
        return "ops" in module.split(".")
    return config["class_name"] not in _WITHOUT_FLAG and "trainable" not in config["config"]


def foreign(config: Config) -> str | None:
    """Why a layer is not one of Keras's own, as far as its writer tells."""
    module, registered = config.get("module"), config.get("registered_name")
    custom = isinstance(registered, str) and ">" in registered
    if isinstance(module, str) and not module.startswith(_OWN):
        custom = True
    return "a custom class" if custom else None
