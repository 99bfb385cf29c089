"""Keras 3's archives and unpacked folders: what is read of them, and what they lack."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from rnndiag import checkpoints, pipeline
from rnndiag.errors import BadOption, UnreadableCheckpoint, UnsupportedCheckpoint
from rnndiag.records import KerasModel, Options, ProbeRun
from tests.keras_files import (
    CONFIG,
    METADATA,
    WEIGHTS,
    bare,
    members,
    pack,
    reconfigured,
    reweighted,
    unpack,
)

os.environ["KERAS_BACKEND"] = "torch"
DATA = Path(__file__).parents[1] / "data"
MODEL = DATA / "keras" / "keras-3.15" / "lstm_stacked_dropout.keras"
OLD = DATA / "keras" / "tf-keras-2.15" / "hard_sigmoid.keras"
FAST = Options(batch=1, seeds=1)


def content(path: Path) -> KerasModel:
    found = checkpoints.read(path).content
    assert isinstance(found, KerasModel)
    return found


def run(path: Path, model: Path = MODEL) -> ProbeRun:
    return pipeline.inspect(str(path), Options(probe=str(model.with_suffix(".npz")))).run


# ---------------------------------------------------------------- what is read


@pytest.mark.parametrize(("path", "version"), [(MODEL, (3, 15, 1)), (OLD, (2, 15, 0))])
def test_an_archive(path: Path, version: tuple[int, ...]) -> None:
    found = checkpoints.read(path)
    assert found.format == "keras-archive"
    assert (found.writer.framework, found.writer.numbers) == ("keras", version)
    assert found.size_bytes == path.stat().st_size
    assert found.notes == ()
    model = content(path)
    assert not model.isolated
    for name, own in content(path.with_suffix(".h5")).weights.items():
        mine = model.weights[name]
        assert len(mine) == len(own)
        assert all(np.array_equal(a.array, b.array) for a, b in zip(mine, own, strict=True))


def test_arrays_are_called_what_the_file_calls_them() -> None:
    names = [named.name for named in content(MODEL).weights["lstm_1"]]
    assert names == [f"layers/lstm_1/cell/vars/{k}" for k in range(3)]


def test_training_facts() -> None:
    facts = {(f.layer, f.name): (f.value, f.source) for f in checkpoints.read(MODEL).training}
    assert facts[None, "optimizer"] == ("Adam", "compile_config")
    assert facts[None, "loss"] == ("mse", "compile_config")
    assert facts[None, "learning_rate"][0] == pytest.approx(0.01)
    assert facts[None, "optimizer_step"][1] == "optimizer/vars"
    assert facts["lstm", "dropout"][1] == "config"


def test_a_folder_is_read_as_its_archive(tmp_path: Path) -> None:
    folder = unpack(MODEL, tmp_path / "model")
    found = checkpoints.read(folder)
    assert found.format == "keras-folder"
    assert found.size_bytes == sum(len(part) for part in members(MODEL).values())
    assert found.training == checkpoints.read(MODEL).training
    np.testing.assert_array_equal(run(folder).outputs[0], run(MODEL).outputs[0])
    (folder / "notes.txt").write_text("not of the model")
    assert checkpoints.read(folder).sha256 == found.sha256
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps(config, indent=1))
    assert checkpoints.read(folder).sha256 != found.sha256


def test_a_deflated_archive(tmp_path: Path) -> None:
    path = pack(members(MODEL), tmp_path / "m.keras", method=8)
    np.testing.assert_array_equal(run(path).outputs[0], run(MODEL).outputs[0])


def test_what_it_is_called_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "best.zip"
    path.write_bytes(MODEL.read_bytes())
    assert checkpoints.read(path).format == "keras-archive"


@pytest.mark.parametrize("kind", ["<f8", ">f4", "<f2"])
def test_number_formats(kind: str, tmp_path: Path) -> None:
    name = "layers/lstm/cell/vars/0"

    def convert(file: h5py.File) -> None:
        array = file[name][()]
        del file[name]
        file[name] = array.astype(kind)

    kernel = content(reweighted(MODEL, tmp_path / "m.keras", convert)).weights["lstm"][0]
    want = content(MODEL).weights["lstm"][0].array
    np.testing.assert_allclose(kernel.array, want, rtol=0 if kind != "<f2" else 1e-3, atol=1e-6)
    assert kernel.array.dtype == np.float32


def test_bfloat16(tmp_path: Path) -> None:
    name = "layers/lstm/cell/vars/1"
    kept: dict[str, Any] = {}

    def convert(file: h5py.File) -> None:
        whole = file[name][()].view(np.uint32)
        kept["want"] = (whole & 0xFFFF0000).view(np.float32)
        del file[name]
        stored = file.create_dataset(name, data=(whole >> 16).astype(np.uint16).view("V2"))
        stored.attrs["dtype"] = "bfloat16"

    found = content(reweighted(MODEL, tmp_path / "m.keras", convert)).weights["lstm"][1]
    np.testing.assert_array_equal(found.array, kept["want"])


def test_more_than_ten_arrays_stand_in_their_order(tmp_path: Path) -> None:
    def add(file: h5py.File) -> None:
        for k in range(12):
            file[f"layers/dense/vars/{k + 2}"] = np.full(1, k)

    arrays = content(reweighted(MODEL, tmp_path / "m.keras", add)).weights["dense"]
    assert [int(named.array[0]) for named in arrays[2:]] == list(range(12))


# ---------------------------------------------------------------- what Keras writes here


def saved(model: Any, path: Path, seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    drawn = [rng.normal(0, 0.4, np.shape(own)) for own in model.get_weights()]
    model.set_weights(drawn)
    model.save(path)
    return path


def agrees(model: Any, path: Path, tmp_path: Path, steps: int = 6) -> bool:
    """Whether the rebuilt network gives what Keras predicts."""
    x = np.random.default_rng(1).normal(size=(3, steps, 3)).astype(np.float32)
    np.savez(tmp_path / "probe.npz", x=x)
    done = pipeline.inspect(str(path), Options(probe=str(tmp_path / "probe.npz"))).run
    assert done.wiring == "exact"
    return bool(np.abs(done.outputs[0] - model.predict(x, verbose=0)).max() < 1e-5)


@pytest.mark.parametrize("first", ["tower", "layer"])
def test_a_layer_of_two_models_is_stored_where_it_comes_first(first: str, tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    layers = keras.layers
    inner, shared = layers.Input((6, 3)), layers.LSTM(3, return_sequences=True, name="shared")
    tower = keras.Model(inner, layers.Dense(3, name="d")(shared(inner)), name="tower")
    source = layers.Input((6, 3))
    x = shared(tower(source)) if first == "tower" else tower(shared(source))
    model = keras.Model(source, layers.GRU(2, name="behind")(x))
    assert agrees(model, saved(model, tmp_path / "m.keras"), tmp_path)


def test_layers_called_after_other_layers(tmp_path: Path) -> None:
    """Groups are counted by class, so the layer lstm_1 may lie in the group lstm."""
    keras = pytest.importorskip("keras")
    layers = keras.layers
    tower = keras.Sequential(
        [
            layers.Input((6, 3)),
            layers.LSTM(4, return_sequences=True, name="lstm_1"),
            layers.LSTM(4, return_sequences=True, name="lstm"),
            layers.Dense(3, name="cell"),
        ],
        name="vars",
    )
    source = layers.Input((6, 3))
    model = keras.Model(source, layers.LSTM(3, name="lstm")(tower(source)))
    path = saved(model, tmp_path / "m.keras")
    assert agrees(model, path, tmp_path)
    names = {layer.name for layer in pipeline.inspect(str(path), FAST).run.layers}
    assert names == {"vars/lstm_1", "vars/lstm", "lstm"}


def test_random_states_are_no_weights(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    layers = keras.layers
    rnn = layers.LSTM(3, dropout=0.2, recurrent_dropout=0.1)
    model = keras.Sequential([layers.Input((6, 3)), layers.GaussianNoise(0.1), rnn])
    assert any("seed" in own.path for own in model.variables)
    path = tmp_path / "m.keras"
    model.save(path)
    found = checkpoints.read(path)
    assert found.notes == ()
    assert sum(len(own) for own in content(path).weights.values()) == 3
    assert agrees(model, path, tmp_path)


def test_subclassed_models_are_read_layer_by_layer(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    layers = keras.layers

    class Network(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.encoder = layers.LSTM(4, return_sequences=True, name="mine")
            self.rest = [layers.Bidirectional(layers.GRU(3), name="both"), layers.Dense(1)]

        def call(self, x: Any) -> Any:
            x = self.encoder(x)
            for layer in self.rest:
                x = layer(x)
            return x

    model = Network()
    model(np.zeros((1, 6, 3)))
    path = saved(model, tmp_path / "m.keras")
    report = pipeline.diagnose(str(path), FAST)
    assert report.probe.wiring == "isolated"
    found = {(own.name, own.kind, own.direction, own.hidden_size) for own in report.layers}
    assert found == {
        ("mine", "LSTM", "forward", 4),
        ("both", "GRU", "forward", 3),
        ("both", "GRU", "backward", 3),
    }
    assert "Network is a subclassed model" in report.notes[0]
    # What is known of a layer counts here as well.
    told = tmp_path / "layer.json"
    own = {"units": 4, "activation": "relu"}
    told.write_text(json.dumps({"class_name": "LSTM", "config": own}))
    done = pipeline.diagnose(str(path), Options(batch=1, seeds=1, architecture=str(told)))
    assert (
        done.layers[[x.name for x in done.layers].index("mine")].arguments["activation"] == "relu"
    )


def test_lambda_layers_are_not_decoded(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    layers = keras.layers
    touched = tmp_path / "touched"
    body = f"__import__('pathlib').Path({str(touched)!r}).touch()"
    model = keras.Sequential(
        [layers.Input((6, 3)), layers.Lambda(lambda x: x), layers.LSTM(2, name="behind")]
    )
    path = tmp_path / "m.keras"
    model.save(path)

    def plant(config: dict[str, Any]) -> None:
        own = config["config"]["layers"][1]["config"]
        own["function"]["config"]["code"] = body

    report = pipeline.diagnose(str(reconfigured(path, tmp_path / "n.keras", plant)), FAST)
    (behind,) = report.layers
    assert "Lambda" in str(behind.reason)
    assert not touched.exists()


def test_quantized_layers_are_not_taken_for_others(tmp_path: Path) -> None:
    def quantize(config: dict[str, Any]) -> None:
        policy = {"class_name": "QuantizedDTypePolicy", "config": {"mode": "int8"}}
        config["config"]["layers"][-1]["config"]["dtype"] = policy

    path = reconfigured(MODEL, tmp_path / "m.keras", quantize)
    assert any("its weights are quantized" in note for note in run(path).notes)


# ---------------------------------------------------------------- the optimizer


def updates(path: Path) -> dict[tuple[str, str], Any]:
    done = pipeline.inspect(str(path), FAST).run
    return {
        (layer.id, part): (own.update_rms, own.gradient_rms)
        for layer in done.layers
        for part, own in layer.updates.items()
    }


@pytest.mark.parametrize(
    "path",
    sorted((DATA / "keras").rglob("*.keras")),
    ids=lambda path: f"{path.parent.name}/{path.stem}",
)
def test_moments_without_names_are_those_that_have_names_in_the_older_file(path: Path) -> None:
    mine, theirs = updates(path), updates(path.with_suffix(".h5"))
    assert mine
    assert mine.keys() == theirs.keys()
    for key, want in theirs.items():
        assert mine[key] == pytest.approx(want, rel=1e-6), key


def test_moments_that_may_be_of_two_arrays_are_of_none(tmp_path: Path) -> None:
    """A layer that was frozen stands beside one of the same shape, and has no moments."""
    model = DATA / "keras" / "keras-3.15" / "timedist.keras"

    def add(config: dict[str, Any]) -> None:
        layers = config["config"]["layers"]
        place = [layer["class_name"] for layer in layers].index("LSTM")
        twin = json.loads(json.dumps(layers[place]))
        twin["config"]["name"] = "twin"
        layers.insert(place + 1, twin)

    def copy(file: h5py.File) -> None:
        file.copy("layers/lstm", "layers/lstm_1")

    path = reweighted(reconfigured(model, tmp_path / "m.keras", add), tmp_path / "n.keras", copy)
    assert updates(model)
    found = checkpoints.read(path)
    assert found.updates == {}
    assert "shapes do not tell" in found.why_no_updates


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"use_ema": True}, "averages"),
        ({"amsgrad": True}, "amsgrad"),
        ({"beta_1": None}, "not understood"),
    ],
)
def test_moments_of_other_kinds_of_adam_are_not_read(
    change: dict[str, Any], why: str, tmp_path: Path
) -> None:
    def edit(config: dict[str, Any]) -> None:
        config["compile_config"]["optimizer"]["config"] |= change

    found = checkpoints.read(reconfigured(MODEL, tmp_path / "m.keras", edit))
    assert found.updates == {}
    assert why in found.why_no_updates


def test_an_optimizer_that_scales_the_loss(tmp_path: Path) -> None:
    def edit(config: dict[str, Any]) -> None:
        inner = config["compile_config"]["optimizer"]
        outer = {"class_name": "LossScaleOptimizer", "config": {"inner_optimizer": inner}}
        config["compile_config"]["optimizer"] = outer

    found = checkpoints.read(reconfigured(MODEL, tmp_path / "m.keras", edit))
    assert "LossScaleOptimizer" in found.why_no_updates


def test_the_rate_of_an_optimizer_that_only_its_name_tells(tmp_path: Path) -> None:
    def edit(config: dict[str, Any]) -> None:
        config["compile_config"]["optimizer"] = "rmsprop"

    found = checkpoints.read(reconfigured(MODEL, tmp_path / "m.keras", edit))
    facts = {f.name: f.value for f in found.training if f.layer is None}
    assert facts["optimizer"] == "rmsprop"
    assert facts["learning_rate"] == pytest.approx(0.01)


# ---------------------------------------------------------------- what is missing


@pytest.mark.parametrize("name", [CONFIG, METADATA, WEIGHTS])
def test_members_that_are_missing(name: str, tmp_path: Path) -> None:
    held = {own: part for own, part in members(MODEL).items() if own != name}
    with pytest.raises(UnreadableCheckpoint) as error:
        checkpoints.read(pack(held, tmp_path / "m.keras"))
    assert "m.keras" in error.value.message
    folder = unpack(MODEL, tmp_path / "folder")
    (folder / name).unlink()
    with pytest.raises(UnreadableCheckpoint):
        checkpoints.read(folder)


def test_weights_of_another_kind(tmp_path: Path) -> None:
    held = {own: part for own, part in members(MODEL).items() if own != WEIGHTS}
    path = pack({**held, "model.weights.npz": b""}, tmp_path / "m.keras")
    with pytest.raises(UnsupportedCheckpoint, match="pickled Python objects"):
        checkpoints.read(path)


def test_layers_without_their_arrays(tmp_path: Path) -> None:
    path = reweighted(MODEL, tmp_path / "m.keras", lambda f: f["layers"].__delitem__("lstm_1"))
    with pytest.raises(UnreadableCheckpoint, match="'lstm_1' \\(LSTM\\) has no arrays"):
        pipeline.inspect(str(path), FAST)


def test_arrays_without_their_layer_are_told(tmp_path: Path) -> None:
    path = reweighted(
        MODEL, tmp_path / "m.keras", lambda f: f.copy("layers/lstm_1", "layers/lstm_2")
    )
    (note,) = checkpoints.read(path).notes
    assert note.startswith(
        "3 arrays are of no layer of the configuration: layers/lstm_2/cell/vars/0"
    )


def test_an_architecture_beside_its_own_is_refused(tmp_path: Path) -> None:
    _, architecture = bare(MODEL, tmp_path)
    with pytest.raises(BadOption, match="--architecture"):
        checkpoints.read(MODEL, str(architecture))


def test_other_folders(tmp_path: Path) -> None:
    with pytest.raises(UnreadableCheckpoint, match="a directory"):
        checkpoints.read(tmp_path)
