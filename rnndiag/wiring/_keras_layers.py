"""The layers that a configuration lists: their names, and the input that they imply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Config = Mapping[str, Any]


def layer_configs(config: Config) -> list[Config]:
    """The layers' configurations; Sequential's were a bare list up to Keras 2.2.2."""
    inner = config.get("config")
    layers = inner.get("layers", []) if isinstance(inner, Mapping) else inner
    return [layer for layer in layers or [] if isinstance(layer, Mapping)]


def named(configs: Sequence[Config], stored: Sequence[str] = ()) -> list[tuple[str, Config]]:
    """Each layer with its name, of which old nested Sequential models have none.

    Those get the stored name at their place, where there is one.
    """
    in_place = len(stored) == len(configs)
    pairs = []
    for place, config in enumerate(configs):
        own = config["config"]
        # Other layers refer to the outer one; a TensorFlow operation has its own inside.
        name = config.get("name") or (own.get("name") if isinstance(own, Mapping) else None)
        made_up = stored[place] if in_place else f"{config['class_name'].lower()}_{place}"
        pairs.append((str(name or made_up), config))
    return pairs


def implied_shape(model: Config) -> Any:
    """What a Sequential's first layer implies, batch axis first; nested models know their own."""
    shape = None
    while shape is None and (layers := layer_configs(model)):
        own = model["config"]
        shape = own.get("build_input_shape") if isinstance(own, Mapping) else None
        model = layers[0]
        shape = _own_shape(model) or shape
    return shape


def sizes(shape: Any) -> Any:
    """A shape as it is; raises `ValueError` where it holds anything but sizes."""
    if shape is not None and not (isinstance(shape, list | tuple) and all(map(_is_size, shape))):
        raise ValueError(f"{str(shape)[:40]} is not a shape")
    return shape


def _is_size(size: Any) -> bool:
    return size is None or (isinstance(size, int) and not isinstance(size, bool) and size >= 0)


def _own_shape(layer: Config) -> Any:
    """The input's shape as a layer's own configuration tells it, batch axis first."""
    own = layer["config"]
    if not isinstance(own, Mapping):
        return None
    wrapped = own.get("layer")
    for holder in (own, wrapped.get("config", {}) if isinstance(wrapped, Mapping) else {}):
        shape = holder.get("batch_shape") or holder.get("batch_input_shape")
        if shape is not None:
            return shape
    return (layer.get("build_config") or {}).get("input_shape")
