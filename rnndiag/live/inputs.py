"""What a live network takes: the parameters of its forward, and what its first layer tells."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from rnndiag.errors import BadOption
from rnndiag.live.calling import UNNAMED
from rnndiag.live.contents import CELLS, RECURRENT
from rnndiag.records import LayerSpec, Options, Writer

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def input_specs(module: nn.Module, options: Options, label: str) -> tuple[LayerSpec, ...]:
    """One for each input that the probe has to have; raises `BadOption` where there is none.

    A probe file gives what forward needs, and of what it can do without, what the file names.
    """
    needed, further = _parameters(module, label)
    if options.probe is not None:
        from rnndiag.probe.array_files import open_arrays

        stored = open_arrays(Path(options.probe)).loaders
        names = [*needed, *(name for name in further if name in stored)] or further[:1]
    else:
        names = needed or further[:1]
    told = _first_layer(module) if len(names) == 1 else {}
    # An array of a file is the network's to judge, whose code takes what it likes.
    free = {"free": True} if options.probe is not None else {}
    return tuple(_spec(name, {**told, **free}) for name in names)


def _spec(name: str, config: Mapping[str, Any]) -> LayerSpec:
    return LayerSpec(
        name=name,
        kind="InputLayer",
        config=config,
        writer=Writer(framework="torch"),
        arguments=config,
    )


def _parameters(module: nn.Module, label: str) -> tuple[list[str], list[str]]:
    """The names that forward needs, and those that it can do without."""
    try:
        own = list(inspect.signature(module.forward).parameters.values())
    except (TypeError, ValueError):
        return [UNNAMED], []
    if any(p.kind is p.POSITIONAL_ONLY for p in own):
        hint = "write a module around it whose forward names its inputs"
        raise BadOption(f"{label}: its forward takes inputs by place alone", hint)
    needed = [p.name for p in own if p.kind in _NAMED and p.default is p.empty]
    further = [p.name for p in own if p.kind in _NAMED and p.default is not p.empty]
    if not needed and not further:
        if any(p.kind is p.VAR_POSITIONAL for p in own):
            return [UNNAMED], []
        raise BadOption(f"{label}: its forward takes no input", "name a network that reads one")
    return needed, further


def _first_layer(module: nn.Module) -> dict[str, Any]:
    """What the layer that stands first in the code takes; nothing where it does not tell."""
    for layer in module.modules():
        if isinstance(layer, nn.Embedding):
            return {"batch_shape": (None, None), "vocabulary": layer.num_embeddings}
        if isinstance(layer, (*RECURRENT, *CELLS)):
            return {"batch_shape": (None, None, layer.input_size)}
        if isinstance(layer, nn.Linear):
            return {"batch_shape": (None, None, layer.in_features)}
        if isinstance(layer, nn.LayerNorm) and len(layer.normalized_shape) == 1:
            return {"batch_shape": (None, None, layer.normalized_shape[0])}
        if next(layer.parameters(recurse=False), None) is not None:
            return {}
    return {}
