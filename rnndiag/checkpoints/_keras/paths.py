"""Which arrays of a ``.weights.h5`` file are those of which layer of a configuration."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import h5py

from rnndiag.checkpoints._keras.configs import (
    Config,
    cells_of,
    inner_of,
    kind_of,
    layers_of,
    name_of,
    own_of,
)
from rnndiag.checkpoints._keras.tree import Tree
from rnndiag.records import NamedArray

Arrays = tuple[NamedArray, ...]
_WEIGHTED_TWICE = "_layer_checkpoint_dependencies"
"""There, layers with weights were counted twice, so that ``lstm_2`` follows ``lstm``."""
_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=.)(?=[A-Z][a-z])")
"""Where a word of a class's name begins."""
_COUNTED = re.compile(r", 'shared_object_id': (\d+|None)")


def by_layer(tree: Tree, model: Config) -> dict[str, Arrays]:
    """Each layer's arrays by its name, in the order of the configuration."""
    return _Finder(tree).model(tree.root, model)


@dataclass
class _Finder:
    """Walks file and configuration side by side, as Keras did when it wrote the file."""

    tree: Tree
    found: dict[tuple[str, str], Arrays] = field(default_factory=dict)
    """By class and configuration: a layer of two models is stored where it came first."""

    def model(self, group: h5py.Group | None, model: Config) -> dict[str, Arrays]:
        """The arrays of each of a model's layers."""
        members = _Members(self.tree, self.tree.container(group))
        arrays = {}
        for place, layer in enumerate(layers_of(model)):
            own = self._layer(members.next(kind_of(layer)), layer)
            known = self.found.setdefault((kind_of(layer), _text(layer.get("config"))), own)
            arrays[name_of(layer, place)] = own or known
        return arrays

    def _layer(self, group: h5py.Group | None, layer: Config) -> Arrays:
        """A layer's arrays, its own before those of what it wraps."""
        own = own_of(layer)
        if layers_of(layer):
            return self._nested(group, layer)
        if kind_of(layer) == "Bidirectional":
            return self._bidirectional(group, own)
        for part in ("layer", "cell"):
            inner, held = inner_of(own, part), self.tree.group(group, part)
            if inner and held is not None:
                return (*self.tree.variables(group), *self._layer(held, inner))
        if kind_of(layer) == "StackedRNNCells":
            members = _Members(self.tree, self.tree.group(group, "cells"))
            each = [self._layer(members.next(kind_of(cell)), cell) for cell in cells_of(own)]
            return tuple(array for arrays in each for array in arrays)
        return self.tree.everything(group)

    def _nested(self, group: h5py.Group | None, model: Config) -> Arrays:
        """A nested model's arrays, each with the layers that it is in."""
        return tuple(
            replace(array, owner=(name, *array.owner))
            for name, arrays in self.model(group, model).items()
            for array in arrays
        )

    def _bidirectional(self, group: h5py.Group | None, own: Config) -> Arrays:
        """All forward arrays, then all backward ones; by name the latter would come first."""
        forward = inner_of(own, "layer")
        backward = inner_of(own, "backward_layer") or forward
        return (
            *self._layer(self.tree.group(group, "forward_layer"), forward),
            *self._layer(self.tree.group(group, "backward_layer"), backward),
        )


@dataclass
class _Members:
    """The layers of a container, asked for one after the other."""

    tree: Tree
    container: h5py.Group | None
    count: Counter[str] = field(default_factory=Counter)

    def next(self, kind: str) -> h5py.Group | None:
        """The group of the next layer of this class; None where it left none."""
        snake = _snake(kind)
        place = self.count[snake]
        self.count[snake] += 1
        if self.container is None:
            return None
        if self.container.name.endswith(f"/{_WEIGHTED_TWICE}"):
            present = self._present(snake)
            return present[place] if place < len(present) else None
        return self.tree.group(self.container, f"{snake}_{place}" if place else snake)

    def _present(self, snake: str) -> list[h5py.Group]:
        assert self.container is not None
        counted = re.compile(rf"{re.escape(snake)}(_\d+)?")
        return [g for name, g in self.tree.groups(self.container) if counted.fullmatch(name)]


def _text(config: Any) -> str:
    """A configuration for comparison: Keras counts the objects of some of its copies only."""
    return _COUNTED.sub("", repr(config))


def _snake(kind: str) -> str:
    """As Keras does it: ``simple_rnn`` for ``SimpleRNN``, ``conv_lstm2d`` for ``ConvLSTM2D``."""
    return _WORD.sub("_", re.sub(r"\W+", "", kind)).lower()
