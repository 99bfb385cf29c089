"""Keras files of the kinds that are not stored, made of those that are."""

from __future__ import annotations

import json
from pathlib import Path

import h5py

from tests import keras_files
from tests.fuzz.seeds import DATA, Arguments, writes


@writes("keras-weights")
def weights_alone(folder: Path) -> Arguments:
    weights, config = keras_files.bare(DATA / "keras/keras-3.15/gru_reset_after.keras", folder)
    config.unlink()
    return (weights.name,)


@writes("keras-weights")
def weights_beside_their_model(folder: Path) -> Arguments:
    archive = DATA / "networks/tf-keras-2.13/nested_in_nested.keras"
    weights, config = keras_files.bare(archive, folder)
    config.rename(folder / "net.json")
    return (weights.name,)


@writes("keras-weights")
def weights_and_an_architecture(folder: Path) -> Arguments:
    archive = DATA / "keras/tf-keras-2.15/embed_mask.keras"
    weights, config = keras_files.bare(archive, folder)
    return (weights.name, "--architecture", config.name)


@writes("keras-weights")
def older_weights_alone(folder: Path) -> Arguments:
    model = DATA / "keras/keras-2.2.4/lstm_gru_srnn.h5"
    return (keras_files.weights_only(model, folder / "net.h5").name,)


@writes("keras-weights")
def older_weights_beside_their_model(folder: Path) -> Arguments:
    model = DATA / "keras/tf-keras-2.15/regularized.h5"
    config = json.dumps(keras_files.architecture(model))
    (folder / "net.json").write_text(config)
    return (keras_files.weights_only(model, folder / "net.h5").name,)


@writes("keras-folder")
def unpacked_archive(folder: Path) -> Arguments:
    archive = DATA / "keras/keras-3.15/lstm_stacked_dropout.keras"
    return (keras_files.unpack(archive, folder / "model").name,)


@writes("keras-h5")
def in_the_latest_format(folder: Path) -> Arguments:
    """HDF5's newer structures, packed arrays, and lists of attributes too long for a header."""
    model = DATA / "keras/tf-keras-2.15/bidi_concat_sum.h5"
    with h5py.File(model) as old, h5py.File(folder / "net.h5", "w", libver="latest") as new:
        new.attrs.update(old.attrs)
        for number in range(12):
            new.attrs[f"note_{number}"] = "x" * number
        old.visititems(lambda name, item: _copied(new, name, item))
    return ("net.h5",)


def _copied(new: h5py.File, name: str, item: h5py.Group | h5py.Dataset) -> None:
    if isinstance(item, h5py.Group):
        made = new.create_group(name, track_order=True)
    elif item.shape:
        made = new.create_dataset(
            name, data=item[()], chunks=True, compression="gzip", shuffle=True, fletcher32=True
        )
    else:
        made = new.create_dataset(name, data=item[()])
    made.attrs.update(item.attrs)
