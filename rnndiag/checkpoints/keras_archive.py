"""Keras's own format: ``.keras`` archives, and the folders that they were unpacked to.

Written by Keras 3, and by tf.keras since 2.12: the configuration as JSON, the weights as HDF5.
"""

from __future__ import annotations

from pathlib import Path

from rnndiag.checkpoints._hdf5 import listing
from rnndiag.checkpoints._keras import architectures, package
from rnndiag.checkpoints._keras.configs import Config, kind_of, layers_of
from rnndiag.checkpoints._keras.contents import configured, unconfigured, untaken
from rnndiag.checkpoints._keras.training import training_facts
from rnndiag.checkpoints._keras.tree import Tree
from rnndiag.checkpoints._keras.variables import optimizer
from rnndiag.checkpoints.base import damaged, facts_of, has_architecture
from rnndiag.records import Checkpoint, KerasModel, Writer

_MODELS = ("Sequential", "Functional", "Model")
"""Keras's own classes of models, which are wired by their configuration."""


def recognises(path: Path, head: bytes) -> bool:
    """A model's configuration and metadata at the top of an archive or a folder."""
    return package.is_package(path, head)


def read(path: Path) -> Checkpoint:
    """Configuration, weights and training facts; nothing is unpacked to disk.

    Raises `UnsafeCheckpoint`, `UnreadableCheckpoint` or `UnsupportedCheckpoint`.
    """
    return _read(path, None)


def read_with(path: Path, architecture: Path) -> Checkpoint:
    """The same for a subclassed model, with a layer's configuration in `architecture`.

    Raises `BadOption` where it is of no layer, or the file has its own.
    """
    return _read(path, architecture)


def _read(path: Path, architecture: Path | None) -> Checkpoint:
    config = package.read_json(path, package.CONFIG)
    metadata = package.read_json(path, package.METADATA)
    version = metadata.get("keras_version")
    writer = Writer(framework="keras", version=None if version is None else str(version))
    compiled = config.get("compile_config")
    training: Config = compiled if isinstance(compiled, dict) else {}
    with package.weights(path) as tree:
        content, notes = _content(tree, config, writer, architecture)
        trained = optimizer(tree, content, training, writer)
        stored = listing.stored(tree.root)
    told = facts_of(lambda: training_facts(config, training, "compile_config"))
    return Checkpoint(
        path=path,
        format="keras-folder" if path.is_dir() else "keras-archive",
        writer=writer,
        size_bytes=package.size(path),
        sha256=package.digest(path),
        content=content,
        training=(*told, *trained.facts),
        notes=(*notes, *trained.notes),
        updates=trained.updates,
        why_no_updates=trained.why_no_updates,
        stored=stored,
    )


def _content(
    tree: Tree, config: Config, writer: Writer, architecture: Path | None
) -> tuple[KerasModel, tuple[str, ...]]:
    if layers_of(config):
        if architecture is not None:
            raise has_architecture(tree.path)
        model = configured(tree, config)
        return model, untaken(tree)
    if kind_of(config) in _MODELS:
        raise damaged(tree.path, f"the configuration of {kind_of(config)} lists no layers")
    layer = None if architecture is None else (architecture, architectures.read(architecture))
    model, notes = unconfigured(tree, writer, layer)
    note = (
        f"{kind_of(config)} is a subclassed model: its wiring is Python code, and not in the file"
    )
    return model, (note, *notes)
