"""Legacy Keras files: what is read of them, sidecars, and files that are broken."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from rnndiag import checkpoints, pipeline
from rnndiag.errors import RnndiagError, UnreadableCheckpoint, UnsupportedCheckpoint
from rnndiag.records import Array, KerasModel, Options
from tests.keras_files import architecture, weights_only

DATA = Path(__file__).parents[1] / "data"
MODEL = DATA / "keras" / "tf-keras-2.15" / "lstm_basic.h5"
OLD = DATA / "keras" / "keras-2.2.4" / "lstm_gru_srnn.h5"
REGULARIZED = DATA / "keras" / "tf-keras-2.15" / "regularized.h5"

Edit = Callable[[h5py.File], None]


@pytest.fixture
def edited(tmp_path: Path) -> Callable[[Edit], Path]:
    """A copy of a whole model with something changed."""

    def make(edit: Edit, source: Path = MODEL) -> Path:
        path = tmp_path / "edited.h5"
        shutil.copy(source, path)
        with h5py.File(path, "r+") as file:
            edit(file)
        return path

    return make


def content(path: Path) -> KerasModel:
    found = checkpoints.read(path).content
    assert isinstance(found, KerasModel)
    return found


def output(path: Path) -> Array:
    probe = str(MODEL.with_suffix(".npz"))
    (found,) = pipeline.inspect(str(path), Options(probe=probe)).run.outputs
    return found


# ---------------------------------------------------------------- what is read


def test_a_whole_model() -> None:
    found = checkpoints.read(OLD)
    assert found.format == "keras-h5"
    assert (found.writer.framework, found.writer.numbers) == ("keras", (2, 2, 4))
    assert found.writer.backend in ("tensorflow", "theano")
    assert found.size_bytes == OLD.stat().st_size
    (kernel, recurrent, bias) = content(OLD).weights["lstm_1"]
    assert [a.array.shape for a in (kernel, recurrent, bias)] == [(3, 24), (6, 24), (24,)]
    assert kernel.name.startswith("lstm_1/kernel")
    assert {a.array.dtype for a in (kernel, recurrent, bias)} == {np.dtype(np.float32)}


def test_training_facts() -> None:
    facts = checkpoints.read(REGULARIZED).training
    found = {(fact.layer, fact.name): fact.value for fact in facts}
    assert found["lstm", "dropout"] == 0.25
    assert found["lstm", "recurrent_dropout"] == 0.15
    assert found["gaussian_noise", "GaussianNoise"] == 0.1
    assert found["spatial_dropout1d", "SpatialDropout1D"] == 0.2
    regularizer = found["lstm", "kernel_regularizer"]
    assert regularizer["class_name"] in ("L1", "L2", "L1L2")
    assert any(name.endswith("_constraint") for _, name in found)
    assert found[None, "optimizer"]
    assert found[None, "learning_rate"] > 0
    assert found[None, "loss"]


def test_facts_of_what_is_wrapped_and_nested(edited: Callable[..., Path]) -> None:
    cells = [{"class_name": "LSTMCell", "config": {"dropout": share}} for share in (0.1, 0.2)]
    stack = {"class_name": "StackedRNNCells", "config": {"cells": cells}}
    regularized = {"kernel_regularizer": {"class_name": "L2", "config": {"l2": 0.01}}}
    gru = {"class_name": "GRU", "config": {"name": "gru", **regularized}}
    layers = [
        {"class_name": "RNN", "config": {"name": "stack", "cell": stack}},
        {"class_name": "Bidirectional", "config": {"name": "both", "layer": gru}},
        {"class_name": "Sequential", "config": [gru]},
        {
            "class_name": "TimeDistributed",
            "config": {
                "name": "each",
                "layer": {"class_name": "Model", "config": {"layers": [gru]}},
            },
        },
    ]
    model = json.dumps({"class_name": "Sequential", "config": {"layers": layers}})
    path = edited(lambda file: file.attrs.__setitem__("model_config", model))
    facts = [f for f in checkpoints.read(path).training if f.source == "config"]
    assert [(f.layer, f.name) for f in facts] == [
        ("stack", "dropout"),
        ("stack", "dropout"),
        ("both", "kernel_regularizer"),
        ("gru", "kernel_regularizer"),
        ("gru", "kernel_regularizer"),
    ]
    assert [f.value for f in facts[:2]] == [0.1, 0.2]


def test_attributes_may_be_bytes_or_in_pieces(edited: Callable[..., Path]) -> None:
    def split(file: h5py.File) -> None:
        group = file["model_weights"]
        names = [str(name) for name in group.attrs["layer_names"]]
        del group.attrs["layer_names"]
        group.attrs["layer_names0"] = np.array(names[:1], "S")
        group.attrs["layer_names1"] = np.array(names[1:], "S")
        file.attrs["model_config"] = np.bytes_(file.attrs["model_config"])

    assert list(content(edited(split)).weights) == list(content(MODEL).weights)


@pytest.mark.parametrize("kind", ["<f8", ">f4", "<f2", "bfloat16"])
def test_number_formats(kind: str, edited: Callable[..., Path]) -> None:
    stored = {}

    def convert(file: h5py.File) -> None:
        group = file["model_weights/dense"]
        (name, *_) = (str(name) for name in group.attrs["weight_names"])
        array = group[name][()]
        del group[name]
        if kind == "bfloat16":
            group[name] = (array.view(np.uint32) >> 16).astype(np.uint16).view("V2")
            stored["want"] = (array.view(np.uint32) & 0xFFFF0000).view(np.float32)
        else:
            group[name] = array.astype(kind)
            stored["want"] = array.astype(kind).astype(np.float32)

    kernel, *_ = content(edited(convert)).weights["dense"]
    assert kernel.array.dtype == np.float32
    np.testing.assert_array_equal(kernel.array, stored["want"])


# ---------------------------------------------------------------- sidecars


@pytest.mark.parametrize(
    ("weights", "sidecar"),
    [
        ("net.h5", "net.json"),
        ("net.weights.h5", "net.json"),
        ("net_weights.h5", "architecture.json"),
    ],
)
def test_weights_with_their_architecture_beside_them(
    weights: str, sidecar: str, tmp_path: Path
) -> None:
    path = weights_only(MODEL, tmp_path / weights)
    (tmp_path / sidecar).write_text(json.dumps(architecture(MODEL)))
    found = checkpoints.read(path)
    assert found.format == "keras-h5-weights"
    assert found.notes == (f"architecture from {sidecar}",)
    assert found.writer.numbers == (2, 15, 0)
    np.testing.assert_array_equal(output(path), output(MODEL))


def test_the_only_architecture_that_fits_is_taken(tmp_path: Path) -> None:
    path = weights_only(MODEL, tmp_path / "net.h5")
    (tmp_path / "mine.json").write_text(json.dumps(architecture(MODEL)))
    (tmp_path / "other.json").write_text(json.dumps(architecture(OLD)))
    (tmp_path / "settings.json").write_text('{"batch": 3}')
    (tmp_path / "list.json").write_text("[1, 2]")
    (tmp_path / "broken.json").write_text('{"class_name": ')
    assert checkpoints.read(path).notes == ("architecture from mine.json",)


def test_two_architectures_that_fit_are_not_chosen_between(tmp_path: Path) -> None:
    path = weights_only(MODEL, tmp_path / "net.h5")
    for name in ("one.json", "two.json"):
        (tmp_path / name).write_text(json.dumps(architecture(MODEL)))
    with pytest.raises(UnsupportedCheckpoint, match=r"any of one\.json, two\.json"):
        checkpoints.read(path)


def test_an_architecture_may_be_json_of_json(tmp_path: Path) -> None:
    path = weights_only(MODEL, tmp_path / "net.h5")
    path.with_suffix(".json").write_text(json.dumps(json.dumps(architecture(MODEL))))
    assert checkpoints.read(path).notes == ("architecture from net.json",)


def test_a_broken_architecture_beside_weights_is_told(tmp_path: Path) -> None:
    path = weights_only(MODEL, tmp_path / "net.h5")
    path.with_suffix(".json").write_text("{")
    with pytest.raises(UnreadableCheckpoint, match="not JSON"):
        checkpoints.read(path)


# ---------------------------------------------------------------- broken files


@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 0.8, 0.95, 0.999])
def test_truncated_files(share: float, tmp_path: Path) -> None:
    path = tmp_path / "cut.h5"
    whole = MODEL.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(UnreadableCheckpoint, match=r"cut\.h5: damaged or incomplete"):
        checkpoints.read(path)


def test_configurations_with_characters_exchanged_end_in_a_message(
    edited: Callable[..., Path],
) -> None:
    """Some damage goes unnoticed; none may end in anything but a message."""
    rng = np.random.default_rng(0)
    with h5py.File(MODEL) as file:
        text = str(file.attrs["model_config"])
    messages: list[str] = []
    for _ in range(60):
        letters = list(text)
        for place in rng.integers(0, len(letters), 2):
            letters[place] = str(rng.choice(list('0123456789[]{}":,nul')))
        config = "".join(letters)
        path = edited(lambda file, config=config: file.attrs.__setitem__("model_config", config))
        try:
            pipeline.inspect(str(path), Options(batch=1, seeds=1))
        except RnndiagError as error:
            messages.append(error.message)
    assert len(messages) > 5
    assert all("edited.h5" in message or "input" in message for message in messages)


def _replace_by_group(file: h5py.File) -> None:
    del file["model_weights/dense/dense/kernel:0"]
    file.create_group("model_weights/dense/dense/kernel:0")


def _replace_by_text(file: h5py.File) -> None:
    del file["model_weights/dense/dense/kernel:0"]
    file["model_weights/dense/dense/kernel:0"] = np.array(["x", "y"], "S")


def _empty(file: h5py.File) -> None:
    del file["model_weights/dense/dense/kernel:0"]
    file["model_weights/dense/dense/kernel:0"] = h5py.Empty("f4")


@pytest.mark.parametrize(
    "edit",
    [
        lambda file: file["model_weights"].__delitem__("lstm"),
        lambda file: file["model_weights/lstm/lstm"].__delitem__("lstm_cell"),
        lambda file: file["model_weights/lstm"].attrs.__delitem__("weight_names"),
        lambda file: file["model_weights"].attrs.__delitem__("layer_names"),
        lambda file: file["model_weights"].attrs.__setitem__("layer_names", h5py.Empty("S3")),
        lambda file: file["model_weights"].attrs.__setitem__("layer_names", 3),
        lambda file: file["model_weights/lstm"].attrs.__setitem__("weight_names", ["/nowhere"]),
        lambda file: file.attrs.__setitem__("model_config", "{"),
        lambda file: file.attrs.__setitem__("model_config", "[" * 100_000),
        lambda file: file.attrs.__setitem__("model_config", "[1]"),
        lambda file: file.attrs.__setitem__("model_config", '{"class_name": "Sequential"}'),
        lambda file: file.attrs.__setitem__("model_config", h5py.Empty("S3")),
        lambda file: file.attrs.__setitem__("training_config", "{"),
        lambda file: file.attrs.__setitem__("training_config", "3"),
        _replace_by_group,
        _replace_by_text,
        _empty,
    ],
)
def test_what_is_missing_or_makes_no_sense(edit: Edit, edited: Callable[..., Path]) -> None:
    path = edited(edit)
    with pytest.raises(RnndiagError) as error:
        pipeline.inspect(str(path), Options(batch=1, seeds=1))
    assert str(path) in error.value.message
    assert error.value.hint


def test_other_hdf5_files(tmp_path: Path) -> None:
    path = tmp_path / "data.h5"
    with h5py.File(path, "w") as file:
        file["x"] = np.zeros(3)
    with pytest.raises(UnsupportedCheckpoint, match="no Keras model"):
        checkpoints.read(path)
