"""The architecture beside a weights file: what ``model.to_json()`` gives, saved as JSON."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from rnndiag.checkpoints import _links
from rnndiag.checkpoints._keras.architectures import LARGEST, decoded
from rnndiag.checkpoints._keras.keras1 import up_to_date
from rnndiag.checkpoints.base import damaged
from rnndiag.errors import UnreadableCheckpoint, UnsupportedCheckpoint

_LEFT_OUT = ("InputLayer", "Add", "Multiply", "Average", "Maximum", "Concatenate", "Dot")

Config = Mapping[str, Any]


def find(path: Path, layers: Collection[str]) -> tuple[Path, Config] | None:
    """The JSON of the same stem, or the folder's only one with these layers; None without any.

    Raises `UnsupportedCheckpoint` where there are several, and `UnreadableCheckpoint` where the
    one of the same stem is no JSON.
    """
    own = beside(path)
    if own is not None:
        return own
    others = [(other, config) for other, config in _others(path) if fits(config, layers)]
    if len(others) > 1:
        names = ", ".join(other.name for other, _ in others)
        raise UnsupportedCheckpoint(
            f"{path}: Keras weights without an architecture; it may be in any of {names}",
            "choose one: --architecture FILE.json",
        )
    return others[0] if others else None


def beside(path: Path) -> tuple[Path, Config] | None:
    """The JSON of the same stem, if it is an architecture.

    Raises `UnreadableCheckpoint` where it is no JSON, and `UnsafeCheckpoint` where it is a link
    to another folder.
    """
    for name in (path.with_suffix(".json").name, f"{path.name.split('.')[0]}.json"):
        own = path.with_name(name)
        if not own.is_file():
            continue
        _links.check(path, own)
        if (config := _architecture(own)) is not None:
            return own, config
    return None


def _architecture(path: Path) -> Config | None:
    """A Keras model's configuration; None where the JSON is something else."""
    if path.stat().st_size > LARGEST:
        raise damaged(path, f"the architecture is larger than {LARGEST >> 20} MiB")
    try:
        value = decoded(path)
    except (OSError, ValueError) as error:
        raise damaged(path, f"the architecture is not JSON ({type(error).__name__})") from error
    is_model = isinstance(value, dict) and "class_name" in value and "config" in value
    return up_to_date(value, path) if is_model else None


def _others(path: Path) -> Iterator[tuple[Path, Config]]:
    """The folder's other architectures; what is no JSON is none of them."""
    for other in sorted(path.parent.glob("*.json")):
        # What leads elsewhere is none of this folder's, and may lead nowhere at all.
        if not _links.leads_inside(path, other) or not other.is_file():
            continue
        if other.stat().st_size > LARGEST:
            continue
        try:
            config = _architecture(other)
        except UnreadableCheckpoint:
            continue
        if config is not None:
            yield other, config


def fits(config: Config, layers: Collection[str]) -> bool:
    """Whether the file's layers are the model's.

    Some writers leave out inputs and what joins branches, and old nested models have no names.
    """
    inner = config["config"]
    configs = inner.get("layers", []) if isinstance(inner, Mapping) else inner
    try:
        names = [(_name(layer), layer["class_name"]) for layer in configs]
    except (AttributeError, KeyError, TypeError):
        return False
    known = {name for name, _ in names if name is not None}
    needed = {name for name, kind in names if name is not None and kind not in _LEFT_OUT}
    nameless = sum(name is None for name, _ in names)
    return needed <= set(layers) and len(set(layers) - known) <= nameless


def _name(layer: Config) -> str | None:
    """A layer's name; none of an old nested Sequential, whose configuration is a list."""
    own = layer["config"]
    name = layer.get("name") or (None if isinstance(own, list) else own["name"])
    return None if name is None else str(name)
