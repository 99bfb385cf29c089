"""Weights that came alone: what shapes and names tell, and what an architecture adds."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

from rnndiag import checkpoints, pipeline
from rnndiag.cli import main
from rnndiag.errors import BadOption, UnsupportedCheckpoint
from rnndiag.records import Array, KerasModel, LayerReport, Options, Report
from tests.keras_files import architecture, bare, weights_only

DATA = Path(__file__).parents[1] / "data" / "keras"
MODEL = DATA / "keras-3.15" / "gru_reset_after.keras"
BOTH = DATA / "keras-3.15" / "bidi_concat_sum.keras"
NETWORKS = Path(__file__).parents[1] / "data" / "networks"
Fill = Callable[[h5py.File], None]


def diagnose(path: Path, config: Path | None = None) -> Report:
    told = None if config is None else str(config)
    return pipeline.diagnose(str(path), Options(batch=1, seeds=1, timesteps=5, architecture=told))


def content(path: Path) -> KerasModel:
    found = checkpoints.read(path).content
    assert isinstance(found, KerasModel)
    return found


def shapes(layers: tuple[LayerReport, ...]) -> list[tuple[Any, ...]]:
    return [(x.name, x.kind, x.direction, x.input_size, x.hidden_size) for x in layers]


def weights(archive: Path, folder: Path) -> Path:
    """The archive's weights, and nothing beside them."""
    path, config = bare(archive, folder)
    config.unlink()
    return path


def layer(folder: Path, kind: str = "LSTM", **own: Any) -> Path:
    path = folder / "layer.json"
    path.write_text(json.dumps({"class_name": kind, "config": own}))
    return path


# ---------------------------------------------------------------- made by hand


def arrays(units: int, features: int, gates: int, bias: tuple[int, ...] | None) -> list[Array]:
    rng = np.random.default_rng(units)
    sizes = [(features, gates * units), (units, gates * units), *([bias] if bias else [])]
    return [rng.normal(0, 0.3, size).astype(np.float32) for size in sizes]


def tree(path: Path, held: dict[str, list[Array]], names: dict[str, str] | None = None) -> Path:
    """A `.weights.h5` of these groups; `names` are the names that Keras 3.6 on adds."""
    with h5py.File(path, "w") as file:
        for group, own in held.items():
            for place, array in enumerate(own):
                file[f"{group}/vars/{place}"] = array
        for group, name in (names or {}).items():
            file.require_group(f"{group}/vars").attrs["name"] = name
    return path


def flat(path: Path, held: dict[str, dict[str, Array]], version: str | None = None) -> Path:
    """A weights-only .h5 of these layers."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = list(held)
        if version is not None:
            file.attrs["keras_version"] = version
        for name, own in held.items():
            group = file.create_group(name)
            group.attrs["weight_names"] = list(own)
            for array_name, array in own.items():
                group[array_name] = array
    return path


# ---------------------------------------------------------------- by shape


def test_layers_of_keras_3_go_by_their_names(tmp_path: Path) -> None:
    report = diagnose(weights(BOTH, tmp_path))
    assert report.checkpoint.format == "keras-weights"
    assert report.checkpoint.framework_version is None
    assert report.probe.wiring == "isolated"
    assert shapes(report.layers)[:4] == [
        ("bidirectional", "LSTM", "forward", 3, 5),
        ("bidirectional", "LSTM", "backward", 3, 5),
        ("bidirectional_1", "GRU", "forward", 10, 4),
        ("bidirectional_1", "GRU", "backward", 10, 4),
    ]
    assert len(report.layers) == 8
    notes = " / ".join(report.notes)
    assert "each runs on its own" in notes
    assert "the file does not tell activations; Keras's defaults are taken" in notes
    assert "--architecture FILE.json would tell" in notes
    assert "not run, as nothing tells where they stand: dense" in notes
    assert report.checkpoint.parameters == diagnose_any(BOTH).checkpoint.parameters


@pytest.mark.parametrize(
    ("gates", "bias", "kind", "arguments"),
    [
        (4, (12,), "LSTM", {"use_bias": True}),
        (4, None, "LSTM", {"use_bias": False}),
        (3, (9,), "GRU", {"use_bias": True, "reset_after": False}),
        (3, (2, 9), "GRU", {"use_bias": True, "reset_after": True}),
        (3, None, "GRU", {"use_bias": False, "reset_after": True}),
        (1, (3,), "SimpleRNN", {"use_bias": True}),
        (1, None, "SimpleRNN", {"use_bias": False}),
    ],
)
def test_cells_by_their_shapes(
    gates: int, bias: tuple[int, ...] | None, kind: str, arguments: dict[str, Any], tmp_path: Path
) -> None:
    own = arrays(3, 5, gates, bias)
    path = tree(tmp_path / "net.weights.h5", {"layers/rnn/cell": own})
    (found,) = diagnose(path).layers
    assert shapes((found,)) == [("rnn", kind, "forward", 5, 3)]
    assert arguments.items() <= found.arguments.items()
    assert "activation" not in found.arguments
    assert [a.name for a in content(path).weights["rnn"]] == [
        f"layers/rnn/cell/vars/{k}" for k in range(len(own))
    ]


def test_a_gru_without_biases_does_not_tell_its_reset_gate(tmp_path: Path) -> None:
    path = tree(tmp_path / "net.weights.h5", {"layers/gru/cell": arrays(3, 5, 3, None)})
    assert any("gru: a GRU without biases" in note for note in diagnose(path).notes)


@pytest.mark.parametrize(
    "own",
    [
        [np.zeros((5, 8)), np.zeros((4, 8)), np.zeros(8)],  # two gates
        [np.zeros((5, 12)), np.zeros((3, 9)), np.zeros(12)],
        [np.zeros((5, 12)), np.zeros((3, 12)), np.zeros(11)],
        [np.zeros((5, 12)), np.zeros((3, 12)), np.zeros((3, 3))],
        [np.zeros((5, 12)), np.zeros(3), np.zeros(12)],  # IndRNN's recurrent vector
        [np.zeros((5, 12)), np.zeros((3, 12)), np.zeros(12), np.zeros(9)],  # peepholes
        [np.zeros((5, 12))],
        [np.zeros((5, 0)), np.zeros((0, 0))],
    ],
)
def test_other_cells_are_told_and_not_run(own: list[Array], tmp_path: Path) -> None:
    path = tree(tmp_path / "net.weights.h5", {"layers/my_cell/cell": own})
    report = diagnose(path)
    (found,) = report.layers
    assert not found.analysed
    assert "no cell's that rnndiag knows" in str(found.reason)
    assert report.exit_code == 3


def test_a_class_that_its_shapes_deny_is_not_run(tmp_path: Path) -> None:
    path = tree(tmp_path / "net.weights.h5", {"layers/gru/cell": arrays(3, 5, 4, (12,))})
    (found,) = diagnose(path).layers
    assert (found.kind, found.analysed) == ("GRU", False)


def test_convolutional_cells_need_their_strides(tmp_path: Path) -> None:
    own = [np.zeros((3, 3, 2, 16)), np.zeros((3, 3, 4, 16)), np.zeros(16)]
    path = tree(tmp_path / "net.weights.h5", {"layers/conv_lstm2d/cell": own})
    (found,) = diagnose(path).layers
    assert (found.kind, found.analysed) == ("ConvLSTM2D", False)
    assert "strides and padding are not told" in str(found.reason)


def test_a_stack_is_put_in_the_order_in_which_it_fits(tmp_path: Path) -> None:
    """Groups stand by name, so the GRU comes before the LSTM that feeds it."""
    held = {
        "layers/rnn/cell/cells/gru_cell": arrays(2, 3, 3, (2, 6)),
        "layers/rnn/cell/cells/lstm_cell": arrays(3, 5, 4, (12,)),
        "layers/rnn/cell/cells/lstm_cell_1": arrays(2, 2, 4, (8,)),
    }
    report = diagnose(tree(tmp_path / "net.weights.h5", held))
    assert shapes(report.layers) == [
        ("rnn", "LSTM", "forward", 5, 3),
        ("rnn", "GRU", "forward", 3, 2),
        ("rnn", "LSTM", "forward", 2, 2),
    ]


def test_cells_of_one_class_stand_as_they_are_counted(tmp_path: Path) -> None:
    held = {f"layers/rnn/cell/cells/lstm_cell{k}": arrays(3, 3, 4, (12,)) for k in ("", "_1", "_2")}
    path = tree(tmp_path / "net.weights.h5", held)
    assert [own.name for own in diagnose(path).layers] == ["rnn"] * 3
    groups = [named.name.split("/")[4] for named in content(path).weights["rnn"][::3]]
    assert groups == ["lstm_cell", "lstm_cell_1", "lstm_cell_2"]


def test_a_stack_without_one_order_is_taken_apart(tmp_path: Path) -> None:
    held = {
        "layers/rnn/cell/cells/gru_cell": arrays(3, 3, 3, (2, 9)),
        "layers/rnn/cell/cells/lstm_cell": arrays(3, 3, 4, (12,)),
    }
    report = diagnose(tree(tmp_path / "net.weights.h5", held))
    assert [own.name for own in report.layers] == ["rnn/gru_cell", "rnn/lstm_cell"]


def test_names_of_layers_and_what_wraps_them(tmp_path: Path) -> None:
    held = {
        "layers/functional/layers/lstm/cell": arrays(3, 5, 4, (12,)),
        "layers/lstm/cell": arrays(4, 5, 4, (16,)),
        "layers/time_distributed/layer/cell": arrays(2, 5, 1, (2,)),
        "layers/dense": [np.zeros((3, 1)), np.zeros(1)],
        "optimizer": [np.int64(3)],
        "metrics/mean": [np.zeros(())],
    }
    names = {"layers/functional": "tower", "layers/lstm": "last"}
    report = diagnose(tree(tmp_path / "net.weights.h5", held, names))
    assert {own.name for own in report.layers} == {"tower/lstm", "last", "time_distributed"}
    assert "not run, as nothing tells where they stand: dense" in report.notes[-1]


def test_two_layers_of_one_name_are_kept_apart(tmp_path: Path) -> None:
    held = {f"layers/lstm{k}/cell": arrays(3, 5, 4, (12,)) for k in ("", "_1")}
    names = {"layers/lstm": "same", "layers/lstm_1": "same"}
    report = diagnose(tree(tmp_path / "net.weights.h5", held, names))
    assert [own.name for own in report.layers] == ["same", "same_"]


def test_nothing_recurrent_is_not_clean(tmp_path: Path) -> None:
    path = tree(tmp_path / "net.weights.h5", {"layers/dense": [np.zeros((3, 1)), np.zeros(1)]})
    report = diagnose(path)
    assert report.exit_code == 3
    assert any(
        "none of the file's layers holds a recurrent kernel: dense" in n for n in report.notes
    )


def test_a_loop_of_hard_links_ends(tmp_path: Path) -> None:
    path = weights(MODEL, tmp_path)
    with h5py.File(path, "r+") as file:
        file["layers/gru/loop"] = file["/"]
        file["layers/dense/loop"] = file["layers"]
    assert len(diagnose(path).layers) == 2


def test_the_step_of_the_optimizer_is_told(tmp_path: Path) -> None:
    facts = {f.name: f.value for f in diagnose(weights(MODEL, tmp_path)).training}
    assert facts["optimizer_step"] > 0


# ---------------------------------------------------------------- older weights


@pytest.mark.parametrize("writer", ["keras-2.0.9", "keras-2.2.4", "keras-3.15", "tf-keras-2.15"])
def test_older_weights_without_an_architecture(writer: str, tmp_path: Path) -> None:
    for model in sorted((DATA / writer).glob("*.h5")):
        folder = tmp_path / model.stem
        folder.mkdir()
        whole, alone = (diagnose_any(p) for p in (model, weights_only(model, folder / "w.h5")))
        assert alone.checkpoint.format == "keras-h5-weights"
        assert alone.probe.wiring == "isolated"
        # The same layers with the same arrays; a layer that is used twice stands there once.
        assert set(sizes(alone)) == set(sizes(whole)), model
        assert alone.checkpoint.parameters == whole.checkpoint.parameters


def diagnose_any(path: Path) -> Report:
    return pipeline.diagnose(str(path), Options(batch=1, seeds=1))


def sizes(report: Report) -> list[tuple[Any, ...]]:
    # go_backwards is known to no array.
    return [(x.name, x.kind, x.input_size, x.hidden_size) for x in report.layers]


@pytest.mark.parametrize(("version", "gates"), [("2.2.4", "hard_sigmoid"), ("2.15.0", "sigmoid")])
def test_defaults_are_those_of_the_writer(version: str, gates: str, tmp_path: Path) -> None:
    kernel, recurrent = arrays(3, 5, 3, None)
    own = {"gru_1/kernel:0": kernel, "gru_1/recurrent_kernel:0": recurrent}
    report = diagnose(flat(tmp_path / "w.h5", {"gru_1": own}, version))
    (found,) = report.layers
    assert found.arguments["recurrent_activation"] == gates
    assert found.arguments["reset_after"] == (version == "2.15.0")
    assert any(f"(tanh, gates {gates})" in note for note in report.notes)


def test_cudnn_is_known_by_its_bias_and_has_no_other_activations(tmp_path: Path) -> None:
    lstm, gru = arrays(3, 5, 4, (24,)), arrays(2, 3, 3, (12,))
    parts = ("kernel:0", "recurrent_kernel:0", "bias:0")
    held = {
        "a": {f"a/{part}": array for part, array in zip(parts, lstm, strict=True)},
        "b": {f"b/{part}": array for part, array in zip(parts, gru, strict=True)},
    }
    report = diagnose(flat(tmp_path / "w.h5", held, "2.2.4"))
    assert shapes(report.layers) == [("a", "LSTM", "forward", 5, 3), ("b", "GRU", "forward", 3, 2)]
    assert [own.arguments["class_name"] for own in report.layers] == ["CuDNNLSTM", "CuDNNGRU"]
    assert not any("activations" in note for note in report.notes)


def test_nested_layers_and_stacks_of_older_files(tmp_path: Path) -> None:
    first, second = arrays(3, 5, 4, (12,)), arrays(2, 3, 1, (2,))
    parts = ("kernel:0", "recurrent_kernel:0", "bias:0")
    named = {f"a/lstm_cell/{p}": x for p, x in zip(parts, first, strict=True)}
    named |= {"norm/gamma:0": np.ones(3), "norm/beta:0": np.zeros(3)}
    named |= {f"b/simple_rnn_cell/{p}": x for p, x in zip(parts, second, strict=True)}
    cells = [*zip(parts, first, strict=True), *zip(parts, second, strict=True)]
    plain = {f"s/{p if k < 3 else p.replace(':0', '_1:0')}": x for k, (p, x) in enumerate(cells)}
    report = diagnose(flat(tmp_path / "w.h5", {"tower": named, "s": plain}, "2.2.4"))
    assert [own.name for own in report.layers] == ["tower/a", "tower/b", "s/0", "s/1"]
    assert "tower/others" in report.notes[-1]


# ---------------------------------------------------------------- with an architecture


def test_a_model_beside_its_weights(tmp_path: Path) -> None:
    path, config = bare(MODEL, tmp_path)
    config.rename(tmp_path / "net.json")
    report = diagnose_any(path)
    assert report.probe.wiring == "exact"
    assert report.notes[0] == "architecture from net.json"


def test_a_model_without_its_class(tmp_path: Path) -> None:
    """What get_config() gives."""
    path, config = bare(MODEL, tmp_path)
    config.write_text(json.dumps(json.loads(config.read_text())["config"]))
    assert pipeline.diagnose(str(path), Options(architecture=str(config))).probe.wiring == "exact"


@pytest.mark.parametrize(
    ("folder", "name", "version"),
    [
        ("tf-keras-2.13", "stacked_cells", "2.13.1"),
        ("keras-3.0.5", "one_cell", "3.3"),
        ("keras-3.3.3", "partly_masked_merge", "3.3"),
    ],
)
def test_the_version_is_taken_from_the_architecture(
    folder: str, name: str, version: str, tmp_path: Path
) -> None:
    """Keras 3.0 to 3.3 found no mask on a list of inputs, so the output depends on it."""
    archive = NETWORKS / folder / f"{name}.keras"
    path, config = bare(archive, tmp_path)
    probe = archive.with_suffix(".npz")
    done = pipeline.inspect(str(path), Options(probe=str(probe), architecture=str(config)))
    assert done.report.checkpoint.framework_version == version
    assert done.report.checkpoint.framework_version_assumed == (version == "3.3")
    assert any("taken for" in note for note in done.report.notes) == (version == "3.3")
    with np.load(probe) as want:
        np.testing.assert_allclose(done.run.outputs[0], want["y0"], atol=1e-5)


def test_newer_versions_are_told_by_their_marks(tmp_path: Path) -> None:
    path, config = bare(MODEL, tmp_path)
    text = config.read_text()
    for mark, taken in ((text, "3.11"), (text.replace('"ragged"', '"r"'), "3.8")):
        config.write_text(mark)
        assert checkpoints.read(path, str(config)).writer.version == taken
    old = text.replace('"batch_shape"', '"batch_input_shape"')
    config.write_text(old)
    assert checkpoints.read(path, str(config)).writer.version == "2.15"


def test_the_architecture_of_another_model(tmp_path: Path) -> None:
    path = weights(MODEL, tmp_path)
    (tmp_path / "other").mkdir()
    _, config = bare(DATA / "keras-3.15" / "lstm_stacked_dropout.keras", tmp_path / "other")
    with pytest.raises(BadOption, match="arrays are of no layer of the configuration"):
        checkpoints.read(path, str(config))


def test_the_older_architecture_of_another_model(tmp_path: Path) -> None:
    path = weights_only(MODEL.with_suffix(".h5"), tmp_path / "w.h5")
    other = architecture(DATA / "keras-3.15" / "lstm_stacked_dropout.h5")
    config = tmp_path / "other.json"
    config.write_text(json.dumps(other))
    with pytest.raises(BadOption, match="whose layers are gru, gru_1"):
        checkpoints.read(path, str(config))


def test_one_of_several_architectures_is_chosen(tmp_path: Path) -> None:
    model = MODEL.with_suffix(".h5")
    path = weights_only(model, tmp_path / "w.h5")
    for name in ("one.json", "two.json"):
        (tmp_path / name).write_text(json.dumps(architecture(model)))
    with pytest.raises(UnsupportedCheckpoint) as error:
        checkpoints.read(path)
    assert "--architecture" in error.value.hint
    assert checkpoints.read(path, str(tmp_path / "two.json")).notes == (
        "architecture from two.json",
    )


@pytest.mark.parametrize("older", [False, True])
def test_the_configuration_of_a_layer(older: bool, tmp_path: Path) -> None:
    model = MODEL.with_suffix(".h5")
    path = weights_only(model, tmp_path / "w.h5") if older else weights(MODEL, tmp_path)
    config = layer(tmp_path, "GRU", units=7, activation="relu", reset_after=True, use_bias=True)
    report = diagnose(path, config)
    assert "weights without an architecture: gru, gru_1: each runs on its own" in report.notes
    assert "gru: configuration from layer.json" in report.notes
    told, guessed = report.layers
    assert (told.arguments["activation"], "activation" in guessed.arguments) == ("relu", False)
    assert any("gru_1: the file does not tell activations" in note for note in report.notes)


def test_the_configuration_of_a_layer_is_run(tmp_path: Path) -> None:
    """The states are those of the equation h' = φ(z + h R), with the φ that was told."""
    kernel, recurrent, bias = arrays(3, 5, 1, (3,))
    path = tree(tmp_path / "w.weights.h5", {"layers/simple_rnn/cell": [kernel, recurrent, bias]})
    config = layer(tmp_path, "SimpleRNN", units=3, activation="relu", return_sequences=True)
    x = np.random.default_rng(0).normal(size=(1, 4, 5)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    options = Options(probe=str(tmp_path / "x.npy"), architecture=str(config))
    (found,) = pipeline.inspect(str(path), options, in_full=True).run.layers
    h = np.zeros(3)
    for step in range(4):
        h = np.maximum(x[0, step] @ kernel + h @ recurrent + bias, 0)
        np.testing.assert_allclose(found.arrays.h[0, step], h, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "own"),
    [
        ("Bidirectional", {"layer": {"class_name": "LSTM", "config": {"units": 5}}}),
        ("RNN", {"cell": {"class_name": "LSTMCell", "config": {"units": 5}}}),
    ],
)
def test_the_configuration_of_a_wrapper(kind: str, own: dict[str, Any], tmp_path: Path) -> None:
    held = {"layers/rnn/cell": arrays(5, 2, 4, (20,))}
    if kind == "Bidirectional":
        ways = ("forward", "backward")
        held = {f"layers/both/{way}_layer/cell": arrays(5, 2, 4, (20,)) for way in ways}
    path = tree(tmp_path / "w.weights.h5", held)
    report = diagnose(path, layer(tmp_path, kind, **own))
    assert all(found.analysed for found in report.layers)
    assert "configuration from layer.json" in " ".join(report.notes)


@pytest.mark.parametrize(
    "own",
    [
        {"units": 6},
        {"units": 5, "use_bias": False},
        {"units": 5, "reset_after": False},
        {"units": "5"},
        {},
    ],
)
def test_the_configuration_of_no_layer_of_the_file(own: dict[str, Any], tmp_path: Path) -> None:
    told = {"reset_after": True, **own}
    with pytest.raises(BadOption, match=r"fits no layer of the file: gru \(GRU of 7 units\)"):
        checkpoints.read(weights(MODEL, tmp_path), str(layer(tmp_path, "GRU", **told)))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[1]", "neither a model's nor a layer's"),
        ('{"units": 3}', "neither a model's nor a layer's"),
        ('{"class_name": "LSTM", "config": [[[]]]}', "fits no layer"),
        ('{"class_name": "Bidirectional", "config": {"layer": 3}}', "fits no layer"),
        ('{"class_name": "StackedRNNCells", "config": {"cells": 3}}', "fits no layer"),
        ('{"class_name": "Model", "config": {"layers": []}}', "fits no layer"),
        (None, "No such file"),
        ("\xff", "not JSON"),
    ],
)
def test_files_that_are_no_architecture(text: str | None, told: str, tmp_path: Path) -> None:
    path, config = weights(MODEL, tmp_path), tmp_path / "a.json"
    if text is not None:
        config.write_text(text, encoding="latin-1")
    with pytest.raises(BadOption, match=told) as error:
        checkpoints.read(path, str(config))
    assert str(config) in error.value.message
    assert error.value.hint


def test_an_architecture_may_not_be_endless(tmp_path: Path) -> None:
    config = tmp_path / "a.json"
    with config.open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(BadOption, match="larger than 16 MiB"):
        checkpoints.read(weights(MODEL, tmp_path), str(config))


@pytest.mark.parametrize(
    "path", [MODEL.with_suffix(".h5"), DATA.parents[2] / "samples" / "recall_default.pt"]
)
def test_files_that_need_no_architecture(path: Path, tmp_path: Path) -> None:
    with pytest.raises(BadOption, match="no file of Keras weights alone"):
        checkpoints.read(path, str(layer(tmp_path)))


def test_the_command_line_takes_it(tmp_path: Path) -> None:
    path, config = bare(MODEL, tmp_path)
    shutil.move(config, tmp_path / "mine.json")
    arguments = ["inspect", str(path), "--architecture", str(tmp_path / "mine.json")]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert "architecture from mine.json" in result.stdout
