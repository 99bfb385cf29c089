"""A Sequential of Keras 1 that begins where other models end: a functional one in disguise.

``Merge([left, right])`` was its first layer, with the branches in its configuration. The file
keeps all their layers side by side, and Keras 2 has nothing like it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rnndiag.checkpoints._keras.configs import Config, kind_of, layers_of, name_of, own_of

_SHAPE = "batch_input_shape"
Wired = tuple[list[Config], list[Any], list[Any]]
"""Layers with their inbound nodes, the inputs, and what the last of them gives."""


def is_merged(config: Config) -> bool:
    """Whether it is a Sequential whose first layer joins branches."""
    layers = layers_of(config)
    first = layers[0] if layers and isinstance(config.get("config"), list) else {}
    return kind_of(first) == "Merge" and isinstance(own_of(first).get("layers"), list)


def branches_joined(config: Config) -> Config:
    """The same as a functional model; raises `ValueError` where branches share layers."""
    layers, inputs, output = _chain(config)
    names = [layer["name"] for layer in layers]
    if len(set(names)) < len(names):
        raise ValueError("the branches of a Merge share layers")
    wired = {"layers": layers, "input_layers": inputs, "output_layers": [output]}
    return {**config, "class_name": "Model", "config": wired}


def _chain(model: Config) -> Wired:
    """A Sequential's layers, each behind the one before."""
    first, *rest = layers_of(model)
    layers, inputs, last = _merged(first) if is_merged(model) else _begun(first)
    for layer in rest:
        layers.append(_placed(layer, [last]))
        last = [layers[-1]["name"], 0, 0]
    return layers, inputs, last


def _merged(merge: Config) -> Wired:
    """The branches and the layer that joins them."""
    own = {key: value for key, value in own_of(merge).items() if key != "layers"}
    layers: list[Config] = []
    inputs: list[Any] = []
    ends = []
    for branch in own_of(merge)["layers"]:
        wired = _branch(branch)
        layers += wired[0]
        inputs += wired[1]
        ends.append(wired[2])
    joined = _placed({**merge, "config": own}, ends)
    return [*layers, joined], inputs, [joined["name"], 0, 0]


def _branch(branch: Config) -> Wired:
    own = branch.get("config")
    if isinstance(own, Mapping) and "output_layers" in own:
        return list(layers_of(branch)), list(own["input_layers"]), own["output_layers"][0]
    return _chain(branch) if isinstance(own, list) else _begun(branch)


def _begun(first: Config) -> Wired:
    """The first layer of a branch, with the input that it implies."""
    inner = own_of(first).get("layer")
    holders = (own_of(first), own_of(inner) if isinstance(inner, Mapping) else {})
    shape = next((own[_SHAPE] for own in holders if _SHAPE in own), None)
    if kind_of(first) == "InputLayer":
        layer = _placed(first, [])
        return [layer], [[layer["name"], 0, 0]], [layer["name"], 0, 0]
    name = f"{name_of(first, 0)}_input"
    dtype = holders[0].get("input_dtype")
    made = {"name": name, _SHAPE: shape, "input_dtype": dtype}
    source = _placed({"class_name": "InputLayer", "config": made}, [])
    layer = _placed(first, [[name, 0, 0]])
    return [source, layer], [[name, 0, 0]], [layer["name"], 0, 0]


def _placed(layer: Config, sources: list[Any]) -> dict[str, Any]:
    """A layer's configuration with its name and what it takes."""
    nodes = [[[*source[:3], {}] for source in sources]] if sources else []
    return {**layer, "name": name_of(layer, 0), "inbound_nodes": nodes}
