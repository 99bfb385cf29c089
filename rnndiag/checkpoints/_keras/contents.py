"""What a ``.weights.h5`` file holds, with the configuration that belongs to it or without."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rnndiag.checkpoints._keras import alone
from rnndiag.checkpoints._keras.alone import Understood
from rnndiag.checkpoints._keras.configs import Config, layers_of, name_of, own_of
from rnndiag.checkpoints._keras.held import held_in_tree
from rnndiag.checkpoints._keras.paths import by_layer
from rnndiag.checkpoints._keras.tree import Tree
from rnndiag.records import KerasModel, Writer

_SHOWN = 4


def configured(tree: Tree, config: Config) -> KerasModel:
    """The model of a configuration, with its arrays."""
    return KerasModel(
        config=config, weights=by_layer(tree, config), problems=dict(_quantized(config))
    )


def unconfigured(
    tree: Tree, writer: Writer, layer: tuple[Path, Config] | None = None
) -> Understood:
    """The recurrent layers, each on its own; `layer` is the configuration of one, and its file.

    Raises `BadOption` where it is of none.
    """
    held = held_in_tree(tree)
    if layer is None:
        return alone.understood(held, writer)
    return alone.understood_as(held, writer, layer[1], layer[0])


def untaken(tree: Tree) -> tuple[str, ...]:
    """A note on the arrays that belong to no layer of the configuration, if there are any."""
    names = tree.untaken(tree.container(tree.root))
    if not names:
        return ()
    more = ", …" if len(names) > _SHOWN else ""
    shown = ", ".join(names[:_SHOWN])
    return (f"{len(names)} arrays are of no layer of the configuration: {shown}{more}",)


def _quantized(model: Config) -> Iterable[tuple[str, str]]:
    """Layers whose arrays are whole numbers that stand for others."""
    for place, layer in enumerate(layers_of(model)):
        policy = own_of(layer).get("dtype")
        if isinstance(policy, dict) and "Quantized" in str(policy.get("class_name")):
            yield name_of(layer, place), "its weights are quantized"
