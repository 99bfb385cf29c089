"""What a layer's class is: Keras's own, an operation, or somebody's custom one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rnndiag import cells
from rnndiag.dialects import is_keras3
from rnndiag.layers.base import layer_class
from rnndiag.records import Writer

Config = Mapping[str, Any]

MODELS = ("Sequential", "Functional", "Model")
_OWN = ("keras", "tf_keras", "tensorflow")
_OPERATIONS = ("keras.ops", "keras.src.ops", "keras.src.activations")
TENSORFLOW_NODE = "TensorFlowOpLayer"
TENSORFLOW_OPERATIONS = ("TFOpLambda", "SlicingOpLambda", TENSORFLOW_NODE)
_WITHOUT_FLAG = ("InputLayer", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D")
"""Keras 3's own layers whose configuration does not say whether they are trainable."""


def is_functional(config: Config) -> bool:
    """Whether a configuration wires its layers, whatever the model's class is called."""
    return isinstance(config["config"], Mapping) and "output_layers" in config["config"]


def is_operation(config: Config, writer: Writer) -> bool:
    """Operations stand among the layers; in Keras 3 some have the same names as layers.

    Newer files give the module; in an .h5 file an operation's configuration holds no more
    than its name and parameters.
    """
    if config["class_name"] == TENSORFLOW_NODE:
        return isinstance(config["config"].get("node_def"), Mapping)
    if not is_keras3(writer):
        return config["class_name"] in TENSORFLOW_OPERATIONS
    module = config.get("module")
    if isinstance(module, str):
        return module.startswith(_OPERATIONS)
    return config["class_name"] not in _WITHOUT_FLAG and "trainable" not in config["config"]


def foreign(config: Config) -> str | None:
    """Why a layer is not one of Keras's own, as far as its writer tells."""
    module, registered = config.get("module"), config.get("registered_name")
    custom = isinstance(registered, str) and ">" in registered
    if isinstance(module, str) and not module.startswith(_OWN):
        custom = True
    return "a custom class" if custom else None


def is_custom(config: Config) -> bool:
    """Whether a class is somebody's own, or at least none that rnndiag knows."""
    kind = str(config["class_name"])
    known = layer_class(kind) is not None or kind in cells.by_kind()
    return not known or foreign(config) is not None
