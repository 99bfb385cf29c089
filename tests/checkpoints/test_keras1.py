"""Files of Keras 1: arrays gate by gate, other words, and models that begin with a Merge.

What its networks give is compared in `tests.test_references`, with files that it wrote.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from rnndiag import checkpoints, pipeline
from rnndiag.checkpoints._keras.keras1 import modern, translated
from rnndiag.checkpoints._keras.keras1_arrays import packed, writer_of
from rnndiag.errors import BadOption, UnreadableCheckpoint
from rnndiag.records import KerasModel, NamedArray, Options, ProbeRun
from tests.keras_files import architecture, weights_only

DATA = Path(__file__).parents[1] / "data" / "networks"
TENSORFLOW, THEANO = DATA / "keras-1.2.2", DATA / "keras-1.2.2-theano"
SEQUENTIAL = TENSORFLOW / "sequential.h5"


def content(path: Path) -> KerasModel:
    found = checkpoints.read(path).content
    assert isinstance(found, KerasModel)
    return found


def own(model: KerasModel, kind: str) -> dict[str, Any]:
    """The configuration of a Sequential's layer of this class."""
    return next(layer["config"] for layer in model.config["config"] if layer["class_name"] == kind)


def run(path: Path, source: Path) -> ProbeRun:
    return pipeline.inspect(str(path), Options(probe=str(source.with_suffix(".npz")))).run


# ---------------------------------------------------------------- whole models


def test_the_writer() -> None:
    found = checkpoints.read(SEQUENTIAL).writer
    assert (found.numbers, found.backend) == ((1, 2, 2), "tensorflow")
    found = checkpoints.read(THEANO / "masked.h5").writer
    assert (found.numbers, found.backend) == ((1, 2, 2), "theano")


def test_gates_are_packed_as_in_keras_2() -> None:
    model = content(SEQUENTIAL)
    name = own(model, "LSTM")["name"]
    kernel, recurrent, bias = model.weights[name]
    assert [kernel.name, recurrent.name, bias.name] == [
        f"{name}/kernel",
        f"{name}/recurrent_kernel",
        f"{name}/bias",
    ]
    with h5py.File(SEQUENTIAL) as file:
        group = file["model_weights"][name]
        stored = {gate: group[f"{name}_U_{gate}:0"][()] for gate in "ifco"}
    assert np.array_equal(recurrent.array, np.concatenate([stored[g] for g in "ifco"], 1))
    assert recurrent.places == tuple(f"model_weights/{name}/{name}_U_{g}:0" for g in "ifco")


def test_settings_have_the_words_of_keras_2() -> None:
    model = content(SEQUENTIAL)
    lstm, gru, dense = (own(model, kind) for kind in ("LSTM", "GRU", "Dense"))
    assert (lstm["units"], lstm["unit_forget_bias"], lstm["implementation"]) == (4, True, 0)
    assert (gru["activation"], gru["recurrent_activation"]) == ("softsign", "tanh")
    assert (dense["units"], dense["use_bias"]) == (2, False)
    assert dense["kernel_constraint"]["config"]["max_value"] == 2


def test_what_is_told_of_training() -> None:
    found = checkpoints.read(SEQUENTIAL).training
    layer = {fact.name: fact.value for fact in found if str(fact.layer).startswith("lstm")}
    kernel = layer["kernel_regularizer"]
    assert (kernel["class_name"], kernel["l1"]) == ("L1L2", pytest.approx(0.01))
    assert kernel["l2"] == pytest.approx(0.02)
    assert layer["recurrent_regularizer"]["l2"] == pytest.approx(0.01)
    assert layer["bias_regularizer"]["l1"] == pytest.approx(0.01)
    assert (layer["dropout"], layer["recurrent_dropout"]) == (0.1, 0.2)
    other = {fact.name: fact.value for fact in found}
    assert (other["Dropout"], other["loss"], other["optimizer"]) == (0.3, "mse", "Adam")
    assert other["learning_rate"] == pytest.approx(0.002)
    assert other["learning_rate_decay"] == pytest.approx(0.001)


def test_every_array_of_the_file_is_accounted_for() -> None:
    report = pipeline.inspect(str(SEQUENTIAL), Options(batch=2)).report
    roles = {array.name: array.role for array in report.coverage}
    assert set(roles.values()) == {"analysed", "surrounding", "optimizer"}
    assert sum("_W_" in name for name in roles) == 4 + 3


# ---------------------------------------------------------------- weights alone


@pytest.mark.parametrize("name", ["sequential", "masked", "nested", "two_branches", "convolved"])
def test_weights_beside_their_architecture(tmp_path: Path, name: str) -> None:
    source = TENSORFLOW / f"{name}.h5"
    path = weights_only(source, tmp_path / "weights.h5")
    # Keras 1 names no backend here.
    told = {key: value for key, value in architecture(source).items() if key != "backend"}
    (tmp_path / "weights.json").write_text(json.dumps(told))
    have, want = run(path, source), run(source, source)
    assert have.wiring == "exact"
    assert all(map(np.array_equal, have.outputs, want.outputs))


@pytest.mark.parametrize("name", ["sequential", "two_branches"])
def test_weights_with_an_architecture_from_elsewhere(tmp_path: Path, name: str) -> None:
    """Joined branches have layers that the weights leave out."""
    path = weights_only(TENSORFLOW / f"{name}.h5", tmp_path / "weights.h5")
    told = tmp_path / "elsewhere.json"
    told.write_text(
        json.dumps({**architecture(TENSORFLOW / f"{name}.h5"), "keras_version": "1.2.2"})
    )
    other = weights_only(TENSORFLOW / "convolved.h5", tmp_path / "other.h5")
    found = pipeline.inspect(str(path), Options(batch=1, seeds=1, architecture=str(told)))
    assert found.run.wiring == "exact"
    with pytest.raises(BadOption, match="not of other"):
        pipeline.inspect(str(other), Options(batch=1, seeds=1, architecture=str(told)))


def test_weights_without_an_architecture(tmp_path: Path) -> None:
    path = weights_only(SEQUENTIAL, tmp_path / "weights.h5")
    found = checkpoints.read(path)
    assert found.writer.numbers == (1,)
    assert any("hard_sigmoid" in note for note in found.notes)
    layers = pipeline.inspect(str(path), Options(batch=2)).run.layers
    sizes = {layer.kind: (layer.input_size, layer.hidden_size) for layer in layers}
    assert sizes == {"LSTM": (3, 4), "GRU": (4, 3), "SimpleRNN": (3, 4)}


def test_both_directions_without_an_architecture(tmp_path: Path) -> None:
    path = weights_only(THEANO / "masked.h5", tmp_path / "weights.h5")
    layers = pipeline.inspect(str(path), Options(batch=2)).run.layers
    kinds = [(layer.kind, layer.direction) for layer in layers]
    assert sorted(kinds) == sorted(
        [(kind, way) for kind in ("LSTM", "GRU") for way in ("forward", "backward")]
        + [("GRU", "forward"), ("LSTM", "forward")]
    )


# ---------------------------------------------------------------- odd files


def arrays(*names: str, shape: tuple[int, ...] = (2, 2)) -> list[NamedArray]:
    return [NamedArray(name=name, array=np.full(shape, k)) for k, name in enumerate(names)]


def test_an_incomplete_cell_stays_as_it_is() -> None:
    stored = arrays("a_W_i", "a_U_i", "a_W_c", "a_U_c")
    assert [named.name for named in packed(stored, {})] == [
        "a/kernel",
        "a/recurrent_kernel",
        "a/kernel",
        "a/recurrent_kernel",
    ]


@pytest.mark.parametrize(
    ("names", "backend"),
    [
        (["lstm_1_W_i:0"], "tensorflow"),
        (["dense_1_W", "dense_1_b"], "theano"),
        (["lstm_1/kernel:0", "lstm_1/recurrent_kernel:0"], None),
        (["norm_gamma:0"], None),
        ([], None),
    ],
)
def test_keras_1_is_told_by_names(names: list[str], backend: str | None) -> None:
    found = writer_of({"layer": arrays(*names)})
    assert (None if found is None else found.backend) == backend


@pytest.mark.parametrize("shape", [(3, 1, 2, 4), (4, 2, 3, 1)])
def test_kernels_of_convolutions_lose_an_axis(shape: tuple[int, ...]) -> None:
    (kernel,) = packed(arrays("c_W", shape=shape), {"c": "Conv1D"})
    assert kernel.array.shape == (3, 2, 4)


@pytest.mark.parametrize(
    ("kind", "settings", "want"),
    [
        ("Merge", {"mode": "cos", "mode_type": "raw"}, "Merge (cos)"),
        ("Merge", {"mode": ["4wEA"], "mode_type": "lambda"}, "Merge (of a function)"),
        ("BatchNormalization", {"mode": 1}, "BatchNormalization (mode 1)"),
        ("BatchNormalization", {"mode": 0}, "BatchNormalization"),
        ("Convolution2D", {"dim_ordering": "th"}, "Convolution2D (dim_ordering th)"),
        ("Convolution2D", {"dim_ordering": "tf"}, "Conv2D"),
        ("MaxoutDense", {}, "MaxoutDense"),
    ],
)
def test_what_has_no_counterpart_keeps_its_name(
    kind: str, settings: dict[str, Any], want: str
) -> None:
    assert modern({"class_name": kind, "config": settings})["class_name"] == want


@pytest.mark.parametrize("name", ["maxnorm", "MaxNorm"])
def test_constraints_of_every_age(name: str) -> None:
    layer = {"class_name": "Dense", "config": {"W_constraint": {"name": name, "m": 3, "axis": 0}}}
    constraint = modern(layer)["config"]["kernel_constraint"]
    assert constraint == {"class_name": "MaxNorm", "config": {"max_value": 3, "axis": 0}}


@pytest.fixture
def edited(tmp_path: Path) -> Callable[[Callable[[Any], None]], Path]:
    """A copy of the model of two branches with another configuration."""

    def make(edit: Callable[[Any], None]) -> Path:
        path = tmp_path / "edited.h5"
        shutil.copy(TENSORFLOW / "two_branches.h5", path)
        with h5py.File(path, "r+") as file:
            config = json.loads(file.attrs["model_config"])
            edit(config["config"])
            file.attrs["model_config"] = json.dumps(config)
        return path

    return make


def share(layers: Any) -> None:
    branches = layers[0]["config"]["layers"]
    branches[1] = branches[0]


def test_branches_in_branches_without_end(tmp_path: Path) -> None:
    model: dict[str, Any] = {"class_name": "Dense", "config": {"name": "dense"}}
    for _ in range(5000):
        merge = {"class_name": "Merge", "config": {"name": "m", "layers": [model]}}
        model = {"class_name": "Sequential", "config": [merge]}
    with pytest.raises(UnreadableCheckpoint):
        translated(model, tmp_path)


@pytest.mark.parametrize(
    "edit",
    [
        share,
        lambda layers: layers[0]["config"].update(layers=[]),
        lambda layers: layers[0]["config"].update(layers=[{}]),
        lambda layers: layers[0]["config"].update(layers=[3, "x"]),
        lambda layers: layers[0]["config"]["layers"][0].update(config=[]),
        lambda layers: layers[0]["config"]["layers"][0].update(config=7),
    ],
)
def test_branches_that_make_no_sense(
    edited: Callable[[Callable[[Any], None]], Path], edit: Callable[[Any], None]
) -> None:
    with pytest.raises(UnreadableCheckpoint):
        pipeline.diagnose(str(edited(edit)), Options(batch=2))
