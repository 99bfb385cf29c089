"""Keras weights in shards: the same as in one file, and an index that reaches for others."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras")

from rnndiag import checkpoints, pipeline  # noqa: E402
from rnndiag.errors import (  # noqa: E402
    RnndiagError,
    UnreadableCheckpoint,
    UnsafeCheckpoint,
    UnsupportedCheckpoint,
)
from rnndiag.records import KerasModel, Options  # noqa: E402

Edit = Callable[[dict[str, Any], Path], None]
LSTM = "/layers/lstm/cell/vars"
FIRST = "model_00000.weights.h5"
SIZE = 1200 / 2**30
"""In GiB, as Keras counts: room for the largest array and no more."""


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one model's weights whole, in shards, and its architecture apart."""
    folder = tmp_path_factory.mktemp("shards")
    lstm = keras.layers.LSTM(8, return_sequences=True)
    model = keras.Sequential([keras.Input((5, 3)), lstm])
    model.add(keras.layers.Bidirectional(keras.layers.GRU(3), name="both"))
    model.add(keras.layers.Dense(2))
    model.save_weights(folder / "whole.weights.h5")
    model.save_weights(folder / "model.weights.json", max_shard_size=SIZE)
    (folder / "architecture").write_text(model.to_json())
    return folder


@pytest.fixture
def edited(saved: Path, tmp_path: Path) -> Callable[[Edit], Path]:
    """A copy of the index and its shards with something changed."""

    def make(edit: Edit) -> Path:
        for file in saved.glob("model*"):
            shutil.copy(file, tmp_path)
        index = tmp_path / "model.weights.json"
        content = json.loads(index.read_text())
        edit(content, tmp_path)
        index.write_text(json.dumps(content))
        return index

    return make


def weights(path: Path) -> dict[str, list[Any]]:
    content = checkpoints.read(path).content
    assert isinstance(content, KerasModel)
    return {name: [own.array for own in arrays] for name, arrays in content.weights.items()}


def test_shards_are_read_as_one_file(saved: Path) -> None:
    index = saved / "model.weights.json"
    places = json.loads(index.read_text())["weight_map"]
    assert len(set(places[LSTM])) == 2, "the test wants a layer in two shards"
    want, have = weights(saved / "whole.weights.h5"), weights(index)
    assert list(have) == list(want)
    for name, arrays in want.items():
        assert all(map(np.array_equal, have[name], arrays))


def test_one_shard_tells_of_its_index(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedCheckpoint, match="one shard of several") as caught:
        checkpoints.read(saved / FIRST)
    assert str(saved / "model.weights.json") in str(caught.value.hint)
    alone = shutil.copy(saved / FIRST, tmp_path)
    assert "model.weights.json is not beside it" in checkpoints.read(Path(alone)).notes[0]
    same = shutil.copy(saved / "whole.weights.h5", tmp_path / "epoch_00012.h5")
    assert not any("shard" in note for note in checkpoints.read(Path(same)).notes)


def test_the_file_is_all_of_its_files(saved: Path) -> None:
    found = checkpoints.read(saved / "model.weights.json")
    assert found.size_bytes == sum(file.stat().st_size for file in saved.glob("model*"))
    assert found.sha256 != checkpoints.read(saved / "whole.weights.h5").sha256


def test_an_architecture_wires_them(saved: Path) -> None:
    options = Options(architecture=str(saved / "architecture"), batch=2)
    runs = [
        pipeline.inspect(str(saved / name), options).run
        for name in ("whole.weights.h5", "model.weights.json")
    ]
    assert runs[0].wiring == runs[1].wiring == "exact"
    assert np.array_equal(runs[0].outputs[0], runs[1].outputs[0])


def point_to(name: str) -> Edit:
    def edit(content: dict[str, Any], folder: Path) -> None:
        content["weight_map"][LSTM] = name

    return edit


def link(content: dict[str, Any], folder: Path) -> None:
    (folder / FIRST).rename(folder / "elsewhere")
    (folder / FIRST).symlink_to(folder / "elsewhere")


def remove(content: dict[str, Any], folder: Path) -> None:
    (folder / FIRST).unlink()


def truncate(content: dict[str, Any], folder: Path) -> None:
    (folder / FIRST).write_bytes((folder / FIRST).read_bytes()[:900])


def link_out(content: dict[str, Any], folder: Path) -> None:
    with h5py.File(folder / FIRST, "r+") as file:
        del file[LSTM]
        file[LSTM] = h5py.ExternalLink("model_00001.weights.h5", LSTM)


def add_place(place: str) -> Edit:
    def edit(content: dict[str, Any], folder: Path) -> None:
        content["weight_map"][place] = FIRST

    return edit


def many(content: dict[str, Any], folder: Path) -> None:
    content["weight_map"][LSTM] = [f"model_{k}.weights.h5" for k in range(2000)]


@pytest.mark.parametrize(
    "edit",
    [
        point_to("/etc/passwd"),
        point_to("/tmp/model_00000.weights.h5"),
        point_to("../model_00000.weights.h5"),
        point_to("sub/model_00000.weights.h5"),
        point_to("sub\\model_00000.weights.h5"),
        point_to("model.weights.json"),
        point_to(".."),
        link,
        link_out,
        many,
    ],
)
def test_an_index_names_only_files_beside_it(edited: Callable[[Edit], Path], edit: Edit) -> None:
    with pytest.raises(UnsafeCheckpoint):
        checkpoints.read(edited(edit))


@pytest.mark.parametrize(
    "edit",
    [
        remove,
        truncate,
        point_to("model_\0.weights.h5"),
        add_place("/layers/nothing/vars"),
        add_place("/layers/lstm"),
        add_place(""),
        add_place("\0/vars"),
        lambda content, folder: content.pop("weight_map"),
        lambda content, folder: content["weight_map"].update({LSTM: 3}),
        lambda content, folder: content["weight_map"].update({LSTM: []}),
        lambda content, folder: content["weight_map"].update({LSTM: [FIRST, FIRST]}),
    ],
)
def test_a_broken_index_is_one_message(edited: Callable[[Edit], Path], edit: Edit) -> None:
    with pytest.raises(UnreadableCheckpoint):
        checkpoints.read(edited(edit))


@pytest.mark.parametrize("content", [b"{", b"{]", b'{"\xff": 1}', b"[" * 100_000, b"{" * 100_000])
def test_an_index_that_is_no_json(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.weights.json"
    path.write_bytes(content)
    with pytest.raises(RnndiagError):
        checkpoints.read(path)
