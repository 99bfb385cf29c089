"""Weights that came without a configuration: what they are taken for, and what is said of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rnndiag import dialects
from rnndiag.checkpoints._keras.configs import cells_of, inner_of, kind_of, own_of
from rnndiag.checkpoints._keras.inferred import Held, Inferred, infer, isolated, unique
from rnndiag.errors import BadOption
from rnndiag.printable import first_of
from rnndiag.records import KerasModel, Writer

Config = Mapping[str, Any]
Understood = tuple[KerasModel, tuple[str, ...]]
"""A model, and what has to be said of it."""
_SHOWN = 6


def understood(found: Iterable[Held], writer: Writer) -> Understood:
    """The recurrent layers of a file, each on its own, with Keras's default activations."""
    held, layers, defaults = _layers(found, writer)
    notes = (*_apart(layers), *_guessed(layers, defaults, told=()), *_around(held, layers))
    return isolated(held, layers, {}), notes


def understood_as(
    found: Iterable[Held], writer: Writer, config: Config, source: Path
) -> Understood:
    """The same, where `config`, read from `source`, is that of a layer of the file.

    Raises `BadOption` where no layer of the file is like it.
    """
    held, layers, defaults = _layers(found, writer)
    wanted = _signature(config)
    known = {name: config for name, own in layers.items() if _signature(own.config) == wanted}
    if not known:
        names = ", ".join(f"{name} ({_told(own)})" for name, own in layers.items())
        raise BadOption(
            f"--architecture {source}: its {kind_of(config)} fits no layer of the file: "
            f"{names or 'none is recurrent'}",
            "units, biases and a GRU's reset_after have to be those of the weights",
        )
    told = f"{first_of(known, _SHOWN)}: configuration from {source.name}"
    guessed = _guessed(layers, defaults, told=known)
    return isolated(held, layers, known), (*_apart(layers), told, *guessed, *_around(held, layers))


def _layers(
    found: Iterable[Held], writer: Writer
) -> tuple[list[Held], dict[str, Inferred], Config]:
    """What is held, the recurrent layers of it, and Keras's defaults at that time."""
    held = list(unique(list(found)))
    hard = dialects.cells_default_to_hard_sigmoid(writer)
    defaults = {
        "recurrent_activation": "hard_sigmoid" if hard else "sigmoid",
        "reset_after": dialects.cells_default_to_reset_after(writer),
    }
    layers = {own.name: infer(own, defaults) for own in held if own.role != "other"}
    return held, layers, defaults


# ---------------------------------------------------------------- what is said


def _apart(layers: Mapping[str, Inferred]) -> list[str]:
    """That nothing tells who feeds whom."""
    runs = [name for name, own in layers.items() if own.problem is None]
    alone = "runs on its own" if len(runs) == 1 else "each runs on its own"
    return [f"weights without an architecture: {first_of(runs, _SHOWN)}: {alone}"] if runs else []


def _guessed(layers: Mapping[str, Inferred], defaults: Config, told: Iterable[str]) -> list[str]:
    """What the file does not tell of the layers but those in `told`."""
    known = set(told)
    runs = [name for name, own in layers.items() if own.problem is None and name not in known]
    gates = defaults["recurrent_activation"]
    notes = []
    open_ = [name for name in runs if not _is_cudnn(layers[name])]
    if open_:
        notes.append(
            f"{first_of(open_, _SHOWN)}: the file does not tell activations; Keras's defaults are "
            f"taken (tanh, gates {gates}); --architecture FILE.json would tell"
        )
    unbiased = [name for name in runs if _without_bias(layers[name])]
    if unbiased:
        place = "after" if defaults["reset_after"] else "before"
        notes.append(
            f"{first_of(unbiased, _SHOWN)}: a GRU without biases does not tell its reset_after; "
            f"the reset gate is taken to stand {place} the product"
        )
    return notes


def _is_cudnn(layer: Inferred) -> bool:
    """CuDNN knows one pair of activations."""
    return all(cell.kind.startswith("CuDNN") for cell in layer.cells)


def _without_bias(layer: Inferred) -> bool:
    return any(cell.kind == "GRU" and not cell.config["use_bias"] for cell in layer.cells)


def _around(held: Sequence[Held], layers: Mapping[str, Inferred]) -> list[str]:
    """The layers that are not recurrent, and so are not run."""
    others = [own.name for own in held if own.role == "other"]
    told = first_of(others, _SHOWN)
    if not layers:
        return [f"none of the file's layers holds a recurrent kernel: {told or 'none'}"]
    return [f"not run, as nothing tells where they stand: {told}"] if others else []


def _told(layer: Inferred) -> str:
    kind = kind_of(layer.config)
    units = (cell.config.get("units", cell.config.get("filters", "?")) for cell in layer.cells)
    return f"{kind} of {' and '.join(map(str, units))} units"


# ---------------------------------------------------------------- what fits what


def _signature(config: Config) -> tuple[Any, ...]:
    """What arrays tell of a layer: its class, units and biases, and those of what is in it."""
    own, kind = own_of(config), kind_of(config)
    if kind == "Bidirectional":
        forward = inner_of(own, "layer")
        inner = [_signature(forward), _signature(inner_of(own, "backward_layer") or forward)]
        return (kind, *inner)
    if kind == "RNN" and inner_of(own, "cell"):
        return _signature(inner_of(own, "cell"))
    if kind == "StackedRNNCells":
        return (kind, *map(_signature, cells_of(own)))
    bias = bool(own.get("use_bias", True))
    after = own.get("reset_after") if bias and kind in ("GRU", "GRUCell") else None
    units, window = own.get("units", own.get("filters")), tuple(own.get("kernel_size") or ())
    return (kind.removesuffix("Cell"), units, window, bias, after)
