"""Files of other kinds made of the reference files, as Keras itself would have written them."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
Members = dict[str, bytes]


# ---------------------------------------------------------------- older HDF5


def architecture(model: Path) -> dict[str, Any]:
    """What to_json() gives for a whole model in an .h5 file."""
    with h5py.File(model) as file:
        text, version = file.attrs["model_config"], file.attrs["keras_version"]
    return {**json.loads(text), "keras_version": version, "backend": "tensorflow"}


def weights_only(model: Path, path: Path) -> Path:
    """What save_weights() wrote before Keras 3: the groups of a whole model at the root."""
    with h5py.File(model) as source, h5py.File(path, "w") as target:
        for name in source["model_weights"]:
            source.copy(f"model_weights/{name}", target)
        for name, value in source["model_weights"].attrs.items():
            target.attrs[name] = value
        if "top_level_model_weights" in target:
            del target["top_level_model_weights"]
    return path


# ---------------------------------------------------------------- Keras 3


def members(archive: Path) -> Members:
    """What an archive holds."""
    with zipfile.ZipFile(archive) as file:
        return {name: file.read(name) for name in file.namelist()}


def pack(held: Members, path: Path, method: int = zipfile.ZIP_STORED) -> Path:
    """An archive of these members."""
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in held.items():
            file.writestr(name, content)
    return path


def unpack(archive: Path, folder: Path) -> Path:
    """The archive as a folder."""
    folder.mkdir(exist_ok=True)
    for name, content in members(archive).items():
        (folder / name).write_bytes(content)
    return folder


def bare(archive: Path, folder: Path) -> tuple[Path, Path]:
    """The archive's weights as save_weights() writes them, and its architecture apart."""
    held = members(archive)
    weights, config = folder / "net.weights.h5", folder / "architecture.json"
    weights.write_bytes(held[WEIGHTS])
    version = json.loads(held[METADATA])["keras_version"]
    whole = json.loads(held[CONFIG])
    # Keras 2's to_json() tells the version, that of Keras 3 does not.
    told = {} if version.startswith("3") else {"keras_version": version}
    config.write_text(json.dumps({**whole, **told}))
    return weights, config


def reconfigured(archive: Path, path: Path, edit: Callable[[dict[str, Any]], Any]) -> Path:
    """The archive with a change in its configuration."""
    held = members(archive)
    config = json.loads(held[CONFIG])
    edit(config)
    return pack({**held, CONFIG: json.dumps(config).encode()}, path)


def reweighted(archive: Path, path: Path, edit: Callable[[h5py.File], Any]) -> Path:
    """The archive with a change in its weights."""
    held = members(archive)
    apart = path.with_suffix(".apart.h5")
    apart.write_bytes(held[WEIGHTS])
    with h5py.File(apart, "r+") as file:
        edit(file)
    return pack({**held, WEIGHTS: apart.read_bytes()}, path)
