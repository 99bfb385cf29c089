"""Legacy Keras HDF5: whole models, and weights alone with their JSON beside them.

Written by Keras 1 to 3 and tf.keras. A whole model has the root attribute
``model_config``; a weights file has ``layer_names`` at its root and its architecture, if
anywhere, in a JSON file beside it: what ``model.to_json()`` gives. Without that, recurrent
layers are recognised by the names and shapes of their arrays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py

from rnndiag.checkpoints._hdf5 import (
    BROKEN_HDF5,
    array,
    attribute,
    child,
    listing,
    opened,
    strings,
    text,
)
from rnndiag.checkpoints._hdf5.texts import check_strings
from rnndiag.checkpoints._keras import (
    alone,
    architectures,
    keras1,
    keras1_arrays,
    sidecar,
    updates,
)
from rnndiag.checkpoints._keras.configs import Config
from rnndiag.checkpoints._keras.held import held_in_groups
from rnndiag.checkpoints._keras.training import training_facts
from rnndiag.checkpoints._keras.tree import holds_tree
from rnndiag.checkpoints.base import damaged, facts_of, has_architecture, parse_json, sha256
from rnndiag.errors import BadOption, UnsupportedCheckpoint
from rnndiag.records import Checkpoint, KerasModel, NamedArray, Writer

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_WRITER = ("keras_version", "backend")
"""The attributes that tell who wrote a file."""
_SHOWN = 6


def recognises(path: Path, head: bytes) -> bool:
    """HDF5 by its signature, but for the kind that Keras 3 writes weights in."""
    return head.startswith(_SIGNATURE) and not holds_tree(path)


def read(path: Path) -> Checkpoint:
    """Configuration, weights and training facts of one legacy file."""
    return _read(path, None)


def read_with(path: Path, architecture: Path) -> Checkpoint:
    """The same for weights, with the configuration in the JSON file `architecture`.

    Raises `BadOption` where the two do not belong together, or the file has its own.
    """
    return _read(path, architecture)


def _read(path: Path, architecture: Path | None) -> Checkpoint:
    try:
        with opened(path) as file, path.open("rb") as raw:
            check_strings(file, raw, path)
            if "model_config" in file.attrs and "model_weights" in file:
                if architecture is not None:
                    raise has_architecture(path)
                return _read_model(path, file)
            if "layer_names" in file.attrs or "layer_names0" in file.attrs:
                return _read_weights(path, file, architecture)
            raise _not_legacy(path)
    except BROKEN_HDF5 as error:
        raise damaged(path, f"HDF5 says {error}") from error


def _not_legacy(path: Path) -> UnsupportedCheckpoint:
    return UnsupportedCheckpoint(
        f"{path}: an HDF5 file, but no Keras model: no model_config, no layer_names",
        "save the whole model: model.save('model.h5')",
    )


def _read_model(path: Path, file: h5py.File) -> Checkpoint:
    config = parse_json(text(attribute(file, "model_config")), path, "model_config")
    training: Mapping[str, Any] = {}
    if "training_config" in file.attrs:
        training = parse_json(text(attribute(file, "training_config")), path, "training_config")
    group = child(file, "model_weights")
    read = _checkpoint(path, group, config, training, _writer(group, _said(file)))
    assert isinstance(read.content, KerasModel)
    arrays = [named for own in read.content.weights.values() for named in own]
    known = updates.read(path, file, arrays, training)
    return replace(
        read,
        training=(*read.training, *known.facts),
        notes=(*read.notes, *known.notes),
        updates=known.updates,
        why_no_updates=known.why_no_updates,
    )


def _read_weights(path: Path, file: h5py.File, architecture: Path | None) -> Checkpoint:
    """Weights alone, with the configuration that is given or lies beside them, or without any."""
    names = strings(file, "layer_names")
    found = sidecar.find(path, names) if architecture is None else None
    if architecture is not None:
        found = architecture, architectures.read(architecture)
        if not architectures.is_model(found[1]):
            return _alone(path, file, found)
        if not sidecar.fits(found[1], names):
            raise BadOption(
                f"--architecture {architecture}: not of {path.name}, whose layers are "
                f"{', '.join(names[:_SHOWN])}{', …' if len(names) > _SHOWN else ''}",
                "layers are told by their names: the model has to be the one that was saved",
            )
    if found is None:
        return _alone(path, file, None)
    source, config = found
    done = _checkpoint(path, file, config, {}, _writer(file, config))
    return replace(done, format="keras-h5-weights", notes=(f"architecture from {source.name}",))


def _alone(path: Path, file: h5py.File, layer: tuple[Path, Config] | None) -> Checkpoint:
    """Weights whose model nothing tells; `layer` is the configuration of one of its layers."""
    done = _checkpoint(path, file, {}, {}, _writer(file, {}))
    writer = done.writer
    assert isinstance(done.content, KerasModel)
    held = held_in_groups(done.content.weights)
    if layer is None:
        model, notes = alone.understood(held, writer)
    else:
        model, notes = alone.understood_as(held, writer, layer[1], layer[0])
    return replace(done, format="keras-h5-weights", content=model, notes=notes)


def _checkpoint(
    path: Path,
    group: h5py.Group,
    config: Mapping[str, Any],
    training: Mapping[str, Any],
    writer: Writer,
) -> Checkpoint:
    names = strings(group, "layer_names")
    weights = {name: _arrays(group, name, path) for name in names}
    oldest = None if "keras_version" in group.attrs else keras1_arrays.writer_of(weights)
    if oldest is not None:
        config = keras1.translated(config, path)
        weights = keras1_arrays.packed_groups(weights, config)
        writer = replace(oldest, version=writer.version or oldest.version)
    return Checkpoint(
        path=path,
        format="keras-h5",
        writer=writer,
        size_bytes=path.stat().st_size,
        sha256=sha256(path),
        content=KerasModel(config=config, weights=weights),
        training=facts_of(lambda: training_facts(config, training)),
        stored=listing.stored(group.file),
    )


def _writer(group: h5py.Group, beside: Mapping[str, Any]) -> Writer:
    """Who wrote the weights; what the group does not say may stand beside it."""
    told = {key: text(beside[key]) for key in _WRITER if key in beside} | _said(group)
    return Writer(framework="keras", version=told.get("keras_version"), backend=told.get("backend"))


def _said(group: h5py.Group) -> dict[str, str]:
    return {key: text(attribute(group, key)) for key in _WRITER if key in group.attrs}


def _arrays(group: h5py.Group, layer: str, path: Path) -> tuple[NamedArray, ...]:
    """A layer's arrays in the order of ``weight_names``, which is the only sure order."""
    stored = child(group, layer)
    found = [(name, child(stored, name)) for name in strings(stored, "weight_names")]
    return tuple(
        NamedArray(name=name, array=array(own, path), places=(own.name.lstrip("/"),))
        for name, own in found
    )
