"""The layers that a Keras configuration lists, and what they are called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Config = Mapping[str, Any]


def layers_of(config: Config) -> list[Config]:
    """A model's layers; none of what is no model, or of one whose wiring is Python code."""
    inner = config.get("config")
    layers = inner.get("layers", []) if isinstance(inner, Mapping) else inner
    if not isinstance(layers, list):
        return []
    return [layer for layer in layers if isinstance(layer, Mapping)]


def inner_of(own: Config, part: str) -> Config:
    """The layer or cell that a wrapper's own configuration holds; empty where it holds none."""
    inner = own.get(part)
    return inner if isinstance(inner, Mapping) else {}


def cells_of(own: Config) -> list[Config]:
    """The cells of a stack."""
    cells = own.get("cells")
    return [cell for cell in cells if isinstance(cell, Mapping)] if isinstance(cells, list) else []


def own_of(layer: Config) -> Config:
    """A layer's own configuration; that of old nested models is a list, which has no names."""
    own = layer.get("config")
    return own if isinstance(own, Mapping) else {}


def name_of(layer: Config, place: int) -> str:
    """A layer's name, made up for the few that have none."""
    name = layer.get("name") or own_of(layer).get("name")
    return str(name or f"{kind_of(layer).lower()}_{place}")


def kind_of(layer: Config) -> str:
    """The name of its class."""
    return str(layer.get("class_name"))
