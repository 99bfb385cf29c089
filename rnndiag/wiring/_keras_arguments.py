"""What a Keras layer was built with, as the report tells of it.

`LayerSpec.config` is made to run: defaults filled in, directions turned. This is the file's own
word, for those who want to read or write the layer again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rnndiag.records import LayerSpec

Config = Mapping[str, Any]

_INSIDE = ("layer", "backward_layer", "cell", "cells")
"""Where a wrapper keeps what it wraps."""
_LONGEST = 256
"""Items of a list, or characters of a text: tables, vocabularies and code are longer."""
_DEEPEST = 8


def arguments_of(config: Config) -> dict[str, Any]:
    """The configuration as stored under ``class_name``, without what is large."""
    own = config["config"]
    stored = own.items() if isinstance(own, Mapping) else ()
    plain = {key: value for key, value in stored if _is_small(value, _DEEPEST)}
    return {**plain, "class_name": str(config["class_name"])}


def inside(spec: LayerSpec, wrapper: Config) -> LayerSpec:
    """A layer, and the layers in it, told that they stand in `wrapper`.

    Its class becomes the argument ``wrapper``, its configuration ``wrapper_arguments``, which
    in turn name the wrapper around that one.
    """
    around = arguments_of(wrapper)
    return replace(
        spec,
        arguments=_told(spec.arguments, around),
        inner=tuple(inside(inner, wrapper) for inner in spec.inner),
    )


def _told(arguments: Config, around: Config) -> dict[str, Any]:
    if "wrapper" in arguments:
        outer = _told(arguments["wrapper_arguments"], around)
        return {**arguments, "wrapper_arguments": outer}
    own = {k: v for k, v in around.items() if k not in (*_INSIDE, "class_name")}
    return {**arguments, "wrapper": around["class_name"], "wrapper_arguments": own}


def _is_small(value: Any, levels: int) -> bool:
    if isinstance(value, (Mapping, list)):
        items = value.values() if isinstance(value, Mapping) else value
        fits = levels > 0 and len(value) <= _LONGEST
        return fits and all(_is_small(item, levels - 1) for item in items)
    return not isinstance(value, str) or len(value) <= _LONGEST
