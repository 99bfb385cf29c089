"""Checkpoints of any size that take no room on the disk: a large table is a hole but for few rows.

Each holds a language model: an embedding table, an LSTM and a small head. Its numbers depend on
neither the size of the table nor the kind of file.
"""

from __future__ import annotations

import io
import json
import mmap
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from numpy.typing import NDArray

Array = NDArray[np.float32]
ROWS = 524_288
"""Of a table that has 2 GiB with 1024 columns."""
WRITTEN = 64
"""Rows at the start of the table that have numbers in them; the others are holes, and zero."""
COLUMNS, UNITS, OUTPUTS = 1024, 432, 10
_BLOCK = 16 << 20


def make(
    path: Path, kind: str, rows: int = ROWS, columns: int = COLUMNS, units: int = UNITS
) -> int:
    """Write a checkpoint of one of the `KINDS`; gives the bytes of its LSTM's weights."""
    arrays = _arrays(columns, units)
    _KINDS[kind](path, rows, arrays)
    return sum(array.nbytes for name, array in arrays.items() if name.startswith("rnn."))


def _arrays(columns: int, units: int) -> dict[str, Array]:
    """PyTorch's names and shapes; of the table its first rows."""
    random = np.random.default_rng(0)
    shapes = {
        "embed.weight": (WRITTEN, columns),
        "rnn.weight_ih_l0": (4 * units, columns),
        "rnn.weight_hh_l0": (4 * units, units),
        "rnn.bias_ih_l0": (4 * units,),
        "rnn.bias_hh_l0": (4 * units,),
        "head.weight": (OUTPUTS, units),
        "head.bias": (OUTPUTS,),
    }
    return {
        name: random.normal(0, shape[-1] ** -0.5, shape).astype(np.float32)
        for name, shape in shapes.items()
    }


# ---------------------------------------------------------------- PyTorch


def _torch(path: Path, rows: int, arrays: dict[str, Array], *, moments: bool = False) -> None:
    """What ``torch.save`` writes, of which the holes are never written."""
    shapes = {name: _shape(name, array, rows) for name, array in arrays.items()}
    content: dict[str, Any] = {"model": {name: torch.empty(own) for name, own in shapes.items()}}
    if moments:
        content["optimizer"] = _adam(shapes)
    with torch.serialization.skip_data():
        torch.save(content, path)
    with torch.serialization.set_default_mmap_options(mmap.MAP_SHARED):
        written = torch.load(path, mmap=True, weights_only=True)
    for place, (name, array) in enumerate(arrays.items()):
        written["model"][name][: len(array)] = torch.from_numpy(array)
        if moments:
            for key in ("exp_avg", "exp_avg_sq"):
                state = written["optimizer"]["state"][place]
                state[key][: len(array)] = torch.from_numpy(array).square() / 100
                state["step"].fill_(10)


def _adam(shapes: dict[str, tuple[int, ...]]) -> dict[str, Any]:
    """The state of an optimizer that keeps two moments of each array, the table's too."""
    state = {
        place: {"step": torch.tensor(10.0), "exp_avg": torch.empty(s), "exp_avg_sq": torch.empty(s)}
        for place, s in enumerate(shapes.values())
    }
    group = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))]).state_dict()["param_groups"][0]
    return {"state": state, "param_groups": [{**group, "params": list(range(len(shapes)))}]}


def _shape(name: str, array: Array, rows: int) -> tuple[int, ...]:
    return (rows, *array.shape[1:]) if name == "embed.weight" else array.shape


def _safetensors(path: Path, rows: int, arrays: dict[str, Array]) -> None:
    """The header, and each tensor at its place; the table comes first."""
    header, end = {}, 0
    for name, array in arrays.items():
        shape = _shape(name, array, rows)
        begin, end = end, end + 4 * int(np.prod(shape))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        start = file.tell()
        for name, array in arrays.items():
            file.seek(start + header[name]["data_offsets"][0])
            file.write(array.tobytes())
        file.truncate(start + end)


def _sharded(path: Path, rows: int, arrays: dict[str, Array]) -> None:
    """An index, and the table in one file, all else in another."""
    shards = {
        f"{path.stem}-00001-of-00002.safetensors": ["embed.weight"],
        f"{path.stem}-00002-of-00002.safetensors": [own for own in arrays if own[:5] != "embed"],
    }
    for shard, names in shards.items():
        _safetensors(path.with_name(shard), rows, {name: arrays[name] for name in names})
    places = {name: shard for shard, names in shards.items() for name in names}
    path.write_text(json.dumps({"metadata": {}, "weight_map": places}), encoding="utf-8")


# ---------------------------------------------------------------- Keras


def _keras_arrays(arrays: dict[str, Array]) -> dict[str, list[tuple[str, Array]]]:
    """The same numbers in Keras's order of arrays and axes; its gates have PyTorch's order."""
    bias = arrays["rnn.bias_ih_l0"] + arrays["rnn.bias_hh_l0"]
    return {
        "embed": [("embeddings", arrays["embed.weight"])],
        "rnn": [
            ("kernel", arrays["rnn.weight_ih_l0"].T),
            ("recurrent_kernel", arrays["rnn.weight_hh_l0"].T),
            ("bias", bias),
        ],
        "head": [("kernel", arrays["head.weight"].T), ("bias", arrays["head.bias"])],
    }


def _config(rows: int, arrays: dict[str, Array]) -> dict[str, Any]:
    """A sequential model as Keras 3 describes it."""
    columns, units = arrays["embed.weight"].shape[1], arrays["rnn.weight_hh_l0"].shape[1]
    layers = [
        ("InputLayer", {"name": "tokens", "batch_shape": [None, None], "dtype": "int64"}),
        ("Embedding", {"name": "embed", "input_dim": rows, "output_dim": columns}),
        ("LSTM", {"name": "rnn", "units": units, "return_sequences": True}),
        ("Dense", {"name": "head", "units": OUTPUTS, "activation": "linear"}),
    ]
    listed = [
        {"module": "keras.layers", "class_name": kind, "config": config} for kind, config in layers
    ]
    return {"class_name": "Sequential", "config": {"name": "model", "layers": listed}}


def _put(group: h5py.Group, name: str, array: Array, rows: int | None) -> None:
    """An array in one piece, of which only what is given is written."""
    shape = array.shape if rows is None else (rows, *array.shape[1:])
    space = h5py.h5s.create_simple(shape)
    how = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    how.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    how.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    h5py.h5d.create(group.id, name.encode(), h5py.h5t.NATIVE_FLOAT, space, how)
    group[name][: len(array)] = array


def _keras_h5(path: Path, rows: int, arrays: dict[str, Array]) -> None:
    """A whole model as ``model.save("model.h5")`` writes it."""
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(_config(rows, arrays))
        held = file.create_group("model_weights")
        held.attrs["keras_version"], held.attrs["backend"] = "3.11.0", "torch"
        layers = _keras_arrays(arrays)
        held.attrs["layer_names"] = list(layers)
        for layer, own in layers.items():
            group = held.create_group(layer)
            group.attrs["weight_names"] = [name for name, _ in own]
            for name, array in own:
                _put(group, name, array, rows if layer == "embed" else None)


def _keras_weights(path: Path, rows: int, arrays: dict[str, Array]) -> None:
    """The tree that ``model.save_weights("model.weights.h5")`` writes."""
    layers = _keras_arrays(arrays)
    places = {"embedding": "embed", "lstm/cell": "rnn", "dense": "head"}
    with h5py.File(path, "w") as file:
        for place, layer in places.items():
            group = file.create_group(f"layers/{place}/vars")
            for number, (_, array) in enumerate(layers[layer]):
                _put(group, str(number), array, rows if layer == "embed" else None)


class _Sparse(io.FileIO):
    """A file that leaves a hole where zeros are written."""

    def write(self, content: Any, /) -> int:
        if np.frombuffer(content, np.uint8).any():
            return super().write(content) or 0
        self.seek(len(content), io.SEEK_CUR)
        return len(content)


def _keras_archive(path: Path, rows: int, arrays: dict[str, Array]) -> None:
    """A ``.keras`` archive; its members are stored, as Keras stores them."""
    weights = path.with_suffix(".weights.h5")
    _keras_weights(weights, rows, arrays)
    with _Sparse(path, "w") as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.11.0"}))
        archive.writestr("config.json", json.dumps(_config(rows, arrays)))
        with (
            weights.open("rb") as source,
            archive.open("model.weights.h5", "w", force_zip64=True) as target,
        ):
            shutil.copyfileobj(source, target, _BLOCK)
    weights.unlink()


_KINDS: dict[str, Callable[[Path, int, dict[str, Array]], None]] = {
    "safetensors": _safetensors,
    "safetensors-sharded": _sharded,
    "torch": _torch,
    "torch-adam": lambda path, rows, arrays: _torch(path, rows, arrays, moments=True),
    "keras-h5": _keras_h5,
    "keras-weights": _keras_weights,
    "keras-archive": _keras_archive,
}
KINDS = tuple(_KINDS)
NAMES = {
    **{"safetensors": "model.safetensors", "safetensors-sharded": "model.safetensors.index.json"},
    **{"torch": "model.pt", "torch-adam": "model.ckpt", "keras-h5": "model.h5"},
    **{"keras-weights": "model.weights.h5", "keras-archive": "model.keras"},
}
"""What files of each kind are called."""
