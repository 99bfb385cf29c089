"""Keras's ``.weights.h5``: what ``model.save_weights()`` writes since Keras 3 and tf.keras 2.12.

The file holds numbered arrays and no configuration. That may come from another file; without
it recurrent layers are recognised by the shapes of their arrays. Large ones come in shards.
"""

from __future__ import annotations

from pathlib import Path

from rnndiag.checkpoints._hdf5 import listing
from rnndiag.checkpoints._keras import architectures, contents, shards, sidecar
from rnndiag.checkpoints._keras.alone import Understood
from rnndiag.checkpoints._keras.configs import Config
from rnndiag.checkpoints._keras.training import training_facts
from rnndiag.checkpoints._keras.tree import Tree, holds_tree, opened_tree
from rnndiag.checkpoints._keras.variables import optimizer
from rnndiag.checkpoints.base import facts_of, sha256_of
from rnndiag.errors import BadOption
from rnndiag.records import Checkpoint, Writer

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_MARKS = (("'batch_input_shape'", "2.15"), ("'ragged'", "3.11"), ("'DTypePolicy'", "3.8"))
"""What a configuration holds since which version, as far as versions differ about masks."""
_UNMARKED = "3.3"
_INDEX = ".json"


def recognises(path: Path, head: bytes) -> bool:
    """HDF5 with the groups that Keras 3 makes, or the index of several such files."""
    return shards.is_index(path, head) or (head.startswith(_SIGNATURE) and holds_tree(path))


def read(path: Path) -> Checkpoint:
    """The recurrent layers, each on its own; the whole model where its JSON lies beside it."""
    return _read(path, None)


def read_with(path: Path, architecture: Path) -> Checkpoint:
    """The model, or the layers, with the configuration in the JSON file `architecture`.

    Raises `BadOption` where the two do not belong together.
    """
    return _read(path, architecture)


def _read(path: Path, architecture: Path | None) -> Checkpoint:
    in_shards = path.suffix == _INDEX
    files = shards.files(path) if in_shards else [path]
    part = () if in_shards else shards.notes_on_one(path)
    with shards.opened_shards(path) if in_shards else opened_tree(path) as tree:
        writer, (model, notes) = _understood(tree, architecture)
        trained = optimizer(tree, model, {}, writer)
        stored = listing.stored(tree.root)
    told = () if model.isolated else facts_of(lambda: training_facts(model.config, {}))
    return Checkpoint(
        path=path,
        format="keras-weights",
        writer=writer,
        size_bytes=sum(file.stat().st_size for file in files),
        sha256=sha256_of(files),
        content=model,
        training=(*told, *trained.facts),
        notes=(*part, *notes, *trained.notes),
        why_no_updates=trained.why_no_updates,
        stored=stored,
    )


def _understood(tree: Tree, architecture: Path | None) -> tuple[Writer, Understood]:
    unknown = Writer(framework="keras")
    if architecture is not None:
        config = architectures.read(architecture)
        if not architectures.is_model(config):
            return unknown, contents.unconfigured(tree, unknown, (architecture, config))
        return _modelled(tree, config, architecture)
    own = sidecar.beside(tree.path)
    if own is not None and architectures.is_model(own[1]):
        return _modelled(tree, own[1], own[0])
    return unknown, contents.unconfigured(tree, unknown)


def _modelled(tree: Tree, config: Config, source: Path) -> tuple[Writer, Understood]:
    """The whole model; raises `BadOption` where the file holds arrays of another."""
    model = contents.configured(tree, config)
    left = contents.untaken(tree)
    if left or tree.container(tree.root) is None:
        raise BadOption(
            f"{source} is not the architecture of {tree.path.name}: "
            f"{left[0] if left else 'the file is that of a subclassed model'}",
            "layers are told by their classes and order, so it has to be the model that was saved",
        )
    writer, notes = _writer(config)
    return writer, (model, (f"architecture from {source.name}", *notes))


def _writer(config: Config) -> tuple[Writer, tuple[str, ...]]:
    """The Keras that wrote it: Keras 2 tells its version in the JSON, Keras 3 does not."""
    version, backend = config.get("keras_version"), config.get("backend")
    told = backend if isinstance(backend, str) else None
    if isinstance(version, str):
        return Writer(framework="keras", version=version, backend=told), ()
    text = str(config)
    taken = next((own for mark, own in _MARKS if mark in text), _UNMARKED)
    note = f"no version of Keras in the files: taken for {taken}; versions differ about masks"
    return Writer(framework="keras", version=taken, backend=told, assumed=True), (note,)
