"""Recurrent layers from arrays alone: a model is made up in which each stands by itself.

A file of weights tells neither who feeds whom nor activations, masks and directions. What its
shapes and names do tell becomes a configuration, so that whatever comes behind the readers has
one kind of model to know.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rnndiag.checkpoints._keras.cells import Cell, cell_of
from rnndiag.records import KerasModel, NamedArray

Config = Mapping[str, Any]
Arrays = tuple[NamedArray, ...]


@dataclass(frozen=True, kw_only=True)
class Held:
    """What a file holds under one name."""

    name: str
    role: Literal["other", "cell", "stack", "both"]
    """No recurrent layer; one cell; cells one on the other; or two directions."""
    arrays: Arrays = ()
    parts: tuple[Held, ...] = ()
    hint: str | None = None
    """The cell's class, where the file tells it."""

    @property
    def everything(self) -> Arrays:
        """All arrays, in the order in which the layer has them."""
        return (*self.arrays, *(array for part in self.parts for array in part.everything))


@dataclass(frozen=True, kw_only=True)
class Inferred:
    """A recurrent layer as its arrays tell it."""

    config: Config
    """With class and configuration, as Keras writes them."""
    cells: tuple[Cell, ...]

    @property
    def problem(self) -> str | None:
        """Why it cannot be rebuilt, if it cannot."""
        return next((cell.problem for cell in self.cells if cell.problem is not None), None)


def infer(held: Held, defaults: Config) -> Inferred:
    """The layer that has these arrays; `defaults` are those of Keras when it was written."""
    if held.role == "cell":
        cell = cell_of(held.arrays, held.hint)
        own = {**_known_defaults(cell, defaults), **cell.config, "return_sequences": True}
        return Inferred(config=_made(cell.kind, own), cells=(cell,))
    inner = [infer(part, defaults) for part in held.parts]
    config = _both(inner) if held.role == "both" else _stack(inner)
    return Inferred(config=config, cells=tuple(cell for own in inner for cell in own.cells))


def isolated(
    held: Sequence[Held], layers: Mapping[str, Inferred], known: Mapping[str, Config]
) -> KerasModel:
    """A model in which each of `layers` has an input and an output of its own.

    Of layers in `known` the configuration is that, and not the one that their arrays tell: they
    lack nothing.
    """
    lacking = {name: own.problem for name, own in layers.items() if own.problem is not None}
    return KerasModel(
        config=_functional(layers, known),
        weights={own.name: own.everything for own in held},
        problems={name: problem for name, problem in lacking.items() if name not in known},
        isolated=True,
    )


def unique(held: Sequence[Held]) -> Iterator[Held]:
    """The same, with names that no two of them share."""
    taken: set[str] = set()
    for own in held:
        name = own.name
        while name in taken:
            name += "_"
        taken.add(name)
        yield Held(name=name, role=own.role, arrays=own.arrays, parts=own.parts, hint=own.hint)


# ---------------------------------------------------------------- layers


def _known_defaults(cell: Cell, defaults: Config) -> Config:
    """Those that the cell has; CuDNN's activations are fixed."""
    wanted = {"GRU": ("recurrent_activation", "reset_after"), "LSTM": ("recurrent_activation",)}
    return {key: defaults[key] for key in wanted.get(cell.kind, ()) if key in defaults}


def _both(inner: Sequence[Inferred]) -> Config:
    forward, backward = (own.config for own in inner)
    turned = {**backward, "config": {**backward["config"], "go_backwards": True}}
    directions = {"layer": forward, "backward_layer": turned}
    return _made("Bidirectional", {"merge_mode": "concat", **directions})


def _stack(inner: Sequence[Inferred]) -> Config:
    cells = [_made(f"{own.config['class_name']}Cell", own.config["config"]) for own in inner]
    stack = _made("StackedRNNCells", {"cells": cells})
    return _made("RNN", {"cell": stack, "return_sequences": True})


def _made(kind: str, config: Config) -> Config:
    """A configuration of one of Keras's own layers: that is what the module says."""
    return {"module": "keras.layers", "class_name": kind, "config": config}


# ---------------------------------------------------------------- the model


def _functional(layers: Mapping[str, Inferred], known: Mapping[str, Config]) -> Config:
    configs: list[Config] = []
    inputs, outputs = [], []
    for name, own in layers.items():
        config = known.get(name, own.config)
        nodes: list[Any] = []
        if own.problem is None or name in known:
            source = f"{name}_input"
            while source in layers:
                source += "_"
            configs.append(_input(source, own.cells[0], config))
            nodes = [[[source, 0, 0, {}]]]
            inputs.append([source, 0, 0])
            outputs.append([name, 0, 0])
        configs.append(_placed(config, name, nodes))
    wired = {"layers": configs, "input_layers": inputs, "output_layers": outputs}
    return {"class_name": "Functional", "config": wired}


def _input(name: str, cell: Cell, config: Config) -> Config:
    """Timesteps of features, or of images whose size nothing tells."""
    step: list[int | None] = [None] * len(cell.config.get("kernel_size", ()))
    first = config["config"].get("data_format") == "channels_first"
    step.insert(0 if first else len(step), cell.input_size)
    shape = {"batch_shape": [None, None, *step]}
    return _placed(_made("InputLayer", shape), name, [])


def _placed(config: Config, name: str, nodes: list[Any]) -> Config:
    """A layer's configuration in its place."""
    own = {**config["config"], "name": name}
    return {"module": "keras.layers", **config, "config": own, "name": name, "inbound_nodes": nodes}
