"""Custom classes that fit one of Keras's own recurrent layers, and those that do not."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras")

from rnndiag import pipeline  # noqa: E402
from rnndiag.records import LayerSpec, Options, ProbeRun, Writer  # noqa: E402
from rnndiag.wiring import _keras_custom  # noqa: E402
from tests.keras_files import architecture, weights_only  # noqa: E402

Edit = Callable[[dict[str, Any]], None]
INPUT = (6, 2)


def run(path: Path) -> ProbeRun:
    return pipeline.inspect(str(path), Options(batch=2, seeds=1), in_full=True).run


def saved(path: Path, layer: Any) -> Path:
    """A model with a layer between two of Keras's own."""
    before = keras.layers.SimpleRNN(3, return_sequences=True, name="before")
    after = keras.layers.GRU(2, name="after")
    keras.Sequential([keras.Input(INPUT), before, layer, after]).save(path)
    return path


def own(name: str = "own", **settings: Any) -> Any:
    """A layer that everything can be put into."""
    return keras.layers.LSTM(4, return_sequences=True, name=name, **settings)


def renamed(path: Path, kind: str, edit: Edit | None = None) -> Path:
    """The same file with the layer ``own`` of a class of the user's own."""
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        layer = next(own for own in config["config"]["layers"] if own["config"]["name"] == "own")
        layer |= {"class_name": kind, "module": None, "registered_name": kind}
        if edit is not None:
            edit(layer["config"])
        file.attrs["model_config"] = json.dumps(config)
    return path


def same(have: ProbeRun, want: ProbeRun, layer: str = "own") -> bool:
    """Whether a layer did the same in both."""
    (mine,) = [found for found in have.layers if found.name == layer]
    (theirs,) = [found for found in want.layers if found.name == layer]
    return mine.kind == theirs.kind and np.array_equal(mine.arrays.h, theirs.arrays.h)


@pytest.mark.parametrize(
    ("layer", "kind"),
    [
        (own(go_backwards=True), "ReversedLSTM"),
        (own(use_bias=False, recurrent_dropout=0.5), "MyRecurrent"),
        (keras.layers.GRU(4, return_sequences=True, name="own"), "MyGRU"),
        (keras.layers.GRU(4, return_sequences=True, reset_after=False, name="own"), "Fast"),
        (keras.layers.SimpleRNN(4, return_sequences=True, name="own"), "MyRNN"),
    ],
)
def test_a_class_that_fits_is_taken_for_its_parent(tmp_path: Path, layer: Any, kind: str) -> None:
    path = saved(tmp_path / "model.h5", layer)
    want = run(path)
    have = run(renamed(path, kind))
    assert same(have, want)
    assert not have.not_analysed
    (said,) = [note for note in have.notes if kind in note and "analysed as" in note]
    assert f"{type(layer).__name__}, because its {len(layer.weights)} arrays" in said


def test_what_follows_is_not_taken_for_certain(tmp_path: Path) -> None:
    """The class may turn its output around, as rnnmorph's does; its code is not in the file."""
    have = run(renamed(saved(tmp_path / "model.h5", own()), "ReversedLSTM"))
    before, layer, after = have.layers
    assert before.isolated is None
    assert layer.isolated is None
    assert "ReversedLSTM" in str(after.isolated)
    assert not have.outputs


def test_a_registered_class_in_an_archive(tmp_path: Path) -> None:
    @keras.saving.register_keras_serializable("mine")
    class Turned(keras.layers.LSTM):
        pass

    model = keras.Sequential([keras.Input(INPUT), Turned(3), keras.layers.Dense(1)])
    model.save(tmp_path / "model.keras")
    have = run(tmp_path / "model.keras")
    assert [layer.kind for layer in have.layers] == ["LSTM"]


def test_a_cell_of_the_users_own(tmp_path: Path) -> None:
    @keras.saving.register_keras_serializable("mine")
    class OddCell(keras.layers.GRUCell):
        pass

    rnn = keras.layers.RNN([OddCell(3), keras.layers.LSTMCell(2)], name="stack")
    keras.Sequential([keras.Input(INPUT), rnn]).save(tmp_path / "model.h5")
    have = run(tmp_path / "model.h5")
    assert [layer.kind for layer in have.layers] == ["GRU", "LSTM"]
    assert any("OddCell" in note for note in have.notes)


def test_inside_wrappers_and_nested_models(tmp_path: Path) -> None:
    """Old weights beside their architecture, with a subclass in a model on each timestep."""

    @keras.saving.register_keras_serializable("mine")
    class Reader(keras.layers.LSTM):
        pass

    inner = keras.Sequential(
        [keras.Input((5, 3)), keras.layers.Bidirectional(Reader(2), name="both")]
    )
    source = keras.Input((None, 5, 3))
    each = keras.layers.TimeDistributed(inner, name="each")(source)
    model = keras.Model(source, keras.layers.GRU(2, name="behind")(each))
    model.save(tmp_path / "whole.h5")
    path = weights_only(tmp_path / "whole.h5", tmp_path / "weights.h5")
    (tmp_path / "weights.json").write_text(json.dumps(architecture(tmp_path / "whole.h5")))
    have = run(path)
    assert [layer.kind for layer in have.layers] == ["LSTM", "LSTM", "GRU"]
    assert not have.not_analysed


def without(key: str) -> Edit:
    return lambda config: config.pop(key)


def with_(**settings: Any) -> Edit:
    return lambda config: config.update(settings)


@pytest.mark.parametrize(
    ("kind", "edit"),
    [
        # Settings that no layer of Keras has change what the layer does.
        ("Odd", with_(window=3)),
        ("Odd", with_(zoneout=0.1)),
        ("Odd", with_(reset_after=True)),
        ("Odd", without("unit_forget_bias")),
        ("Odd", without("go_backwards")),
        ("Odd", without("use_bias")),
        # Settings that are not those of the arrays.
        ("Odd", with_(units=3)),
        ("Odd", with_(units="4")),
        ("Odd", with_(use_bias=False)),
        # Names that say something else.
        ("ZoneoutLSTM", with_()),
        ("LayerNormLSTM", with_()),
        ("PeepholeLSTM", with_()),
        ("MyGRU", with_()),
        *((f"{word}LSTM", with_()) for word in ("Residual", "Highway", "Multiplicative")),
        ("TimeAwareLSTM", with_()),
        ("CIFGLSTM", with_()),
        ("MinLSTM", with_()),
    ],
)
def test_a_class_that_does_not_fit_is_not_analysed(tmp_path: Path, kind: str, edit: Edit) -> None:
    have = run(renamed(saved(tmp_path / "model.h5", own()), kind, edit))
    assert [layer.name for layer in have.not_analysed] == ["own"]
    assert [layer.name for layer in have.layers] == ["before", "after"]
    assert not any("analysed as" in note for note in have.notes)


@pytest.mark.parametrize("kind", ["AntisymmetricRNN", "LeakyRNN", "CfcCell", "Odd", "MyCell"])
def test_what_has_a_simple_rnns_arrays_is_one_by_name_alone(tmp_path: Path, kind: str) -> None:
    layer = keras.layers.SimpleRNN(4, return_sequences=True, name="own")
    have = run(renamed(saved(tmp_path / "model.h5", layer), kind))
    assert [layer.name for layer in have.not_analysed] == ["own"]


@pytest.mark.parametrize("kind", ["CustomSimpleRNN", "my_rnn_2", "KerasVanillaRNNCell"])
def test_names_that_say_simple_rnn(tmp_path: Path, kind: str) -> None:
    layer = keras.layers.SimpleRNN(4, return_sequences=True, name="own")
    assert not run(renamed(saved(tmp_path / "model.h5", layer), kind)).not_analysed


def test_a_class_without_arrays_fits_nothing() -> None:
    writer = Writer(framework="keras", version="2.4.0")
    config = {**{"units": 4, "activation": "tanh", "use_bias": True, "go_backwards": False}}
    config |= {"recurrent_activation": "sigmoid", "unit_forget_bias": True}
    spec = LayerSpec(
        name="a", kind="MyLSTM", config={**config, "return_sequences": True}, writer=writer
    )
    assert _keras_custom.layer_as_parent(spec) == spec


def test_a_layer_that_is_not_recurrent_is_none(tmp_path: Path) -> None:
    """Two square matrices and a bias are a SimpleRNN's, and many another layer's."""

    def plain(config: dict[str, Any]) -> None:
        kept: Mapping[str, Any] = {k: config[k] for k in ("name", "trainable", "dtype", "units")}
        config.clear()
        config.update({**kept, "activation": "tanh", "use_bias": True})

    layer = keras.layers.SimpleRNN(3, return_sequences=True, name="own")
    have = run(renamed(saved(tmp_path / "model.h5", layer), "Perceptron", plain))
    assert [found.name for found in have.layers] == ["before", "after"]
