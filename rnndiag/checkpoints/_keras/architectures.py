"""The JSON file of ``--architecture``: the configuration of a model, or of a single layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rnndiag.checkpoints._keras.configs import Config, layers_of
from rnndiag.checkpoints._keras.keras1 import up_to_date
from rnndiag.checkpoints.base import json_value
from rnndiag.errors import BadOption

LARGEST = 16 << 20
"""Bytes; an architecture is some hundred kilobytes, some megabytes at most."""
_HINT = "save model.to_json(), or a .keras archive's config.json, as a file"


def read(path: Path) -> Config:
    """The configuration, with ``class_name`` and ``config``; raises `BadOption`."""
    try:
        if path.stat().st_size > LARGEST:
            raise _bad(path, f"larger than {LARGEST >> 20} MiB, which no architecture is")
        value = decoded(path)
    except OSError as error:
        raise _bad(path, f"cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise _bad(path, f"not JSON ({type(error).__name__})") from error
    if isinstance(value, dict) and isinstance(value.get("layers"), list):
        # What model.get_config() gives does not name its class.
        kind = "Functional" if "output_layers" in value else "Sequential"
        return {"class_name": kind, "config": value}
    if not isinstance(value, dict) or not {"class_name", "config"} <= set(value):
        raise _bad(path, "neither a model's nor a layer's configuration: no class_name and config")
    return up_to_date(value, path)


def decoded(path: Path) -> Any:
    """What the JSON of a short file says; raises `OSError`, `ValueError` or `TooLarge`."""
    value = json_value(path.read_text(encoding="utf-8"), path.name)
    # A common slip: json.dump() of what to_json() had made JSON of.
    return json_value(value, path.name) if isinstance(value, str) else value


def is_model(config: Config) -> bool:
    """Whether it is a whole model's, and not a layer's."""
    return bool(layers_of(config))


def _bad(path: Path, what: str) -> BadOption:
    return BadOption(f"--architecture {path}: {what}", _HINT)
