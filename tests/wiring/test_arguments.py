"""What layers were built with and what the file calls their arrays, against Keras and torch."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import prune
from torch.nn.utils.parametrizations import weight_norm

from rnndiag import pipeline
from rnndiag.pipeline import Diagnosis
from rnndiag.records import Array, LayerReport, Options

Inspect = Callable[..., Diagnosis]
DATA = Path(__file__).parents[1] / "data"
STEPS, INPUTS = 7, 3


def diagnose(path: Path) -> Diagnosis:
    return pipeline.inspect(str(path), Options(device="cpu", seeds=1, batch=2), in_full=True)


def saved(folder: Path, *layers: Any) -> tuple[Diagnosis, Path]:
    model = keras.Sequential([keras.Input((STEPS, INPUTS)), *layers])
    path = folder / "model.h5"
    model.save(path)
    return diagnose(path), path


def stored(config: Mapping[str, Any]) -> Any:
    """A configuration after its way through a file, as far as it is plain data."""
    return json.loads(json.dumps(config, default=lambda value: value.get_config()))


def own(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The layer's own arguments, without class and wrapper."""
    about = ("class_name", "wrapper", "wrapper_arguments")
    return {name: value for name, value in arguments.items() if name not in about}


# ---------------------------------------------------------------- Keras: arguments


def test_keras_builds_the_same_layer_from_the_arguments(tmp_path: Path) -> None:
    layer = keras.layers.LSTM(
        4, dropout=0.1, recurrent_dropout=0.2, kernel_regularizer=keras.regularizers.L2(0.003)
    )
    diagnosis, _ = saved(tmp_path, layer)
    arguments = diagnosis.report.layers[0].arguments
    assert arguments["class_name"] == "LSTM"
    assert arguments["kernel_regularizer"]["config"] == {"l2": 0.003}
    assert "wrapper" not in arguments
    again = keras.layers.LSTM.from_config(own(arguments))
    assert stored(again.get_config()) == stored(layer.get_config())


def test_a_wrapped_layer_tells_its_own_arguments_and_its_wrappers(tmp_path: Path) -> None:
    inner = keras.layers.GRU(4, recurrent_dropout=0.3, return_sequences=True)
    both = keras.layers.Bidirectional(inner, merge_mode="sum", name="both")
    diagnosis, _ = saved(tmp_path, both)
    ahead, back = diagnosis.report.layers
    for layer in (ahead, back):
        assert layer.arguments["class_name"] == "GRU"
        assert layer.arguments["wrapper"] == "Bidirectional"
        assert layer.arguments["wrapper_arguments"]["name"] == "both"
        assert layer.arguments["wrapper_arguments"]["merge_mode"] == "sum"
        assert "layer" not in layer.arguments["wrapper_arguments"]
    assert own(ahead.arguments) == stored(both.forward_layer.get_config())
    assert own(back.arguments) == stored(both.backward_layer.get_config())


def test_wrappers_in_wrappers_are_named_from_the_inside(tmp_path: Path) -> None:
    cells = [keras.layers.LSTMCell(4, dropout=0.1), keras.layers.SimpleRNNCell(2)]
    stack = keras.layers.RNN(cells, return_sequences=True)
    layer = keras.layers.Bidirectional(stack)
    diagnosis, _ = saved(tmp_path, layer)
    found = [report.arguments for report in diagnosis.report.layers]
    assert [arguments["class_name"] for arguments in found] == ["LSTMCell", "SimpleRNNCell"] * 2
    assert own(found[0]) == stored(cells[0].get_config())
    for arguments in found:
        around = arguments["wrapper_arguments"]
        further = around["wrapper_arguments"]
        wrappers = [arguments["wrapper"], around["wrapper"], further["wrapper"]]
        assert wrappers == ["StackedRNNCells", "RNN", "Bidirectional"]
        assert further["return_sequences"] is True
        assert "cell" not in further
        assert "cells" not in around
        assert further["wrapper_arguments"]["merge_mode"] == "concat"


def test_classes_have_the_names_that_keras_gave_them() -> None:
    diagnosis = diagnose(DATA / "keras/keras-2.2.4/cudnn.h5")
    names = [layer.arguments["class_name"] for layer in diagnosis.report.layers]
    assert names == ["CuDNNLSTM", "CuDNNGRU"]


def test_a_time_distributed_bidirectional_layer_names_both() -> None:
    layers = diagnose(DATA / "networks/keras-2.2.4/hierarchical_masks.h5").report.layers
    arguments = next(layer.arguments for layer in layers if layer.id == "td")
    assert arguments["wrapper"] == "Bidirectional"
    assert arguments["wrapper_arguments"]["wrapper"] == "TimeDistributed"
    assert arguments["wrapper_arguments"]["wrapper_arguments"]["name"] == "td"


def test_what_is_large_is_left_out(tmp_path: Path) -> None:
    start = keras.initializers.Constant(np.linspace(0, 1, 300).tolist())
    layer = keras.layers.LSTM(75, bias_initializer=start, unit_forget_bias=False)
    diagnosis, _ = saved(tmp_path, layer)
    arguments = diagnosis.report.layers[0].arguments
    assert "bias_initializer" not in arguments
    assert "kernel_initializer" in arguments


# ---------------------------------------------------------------- Keras: names of arrays


def in_file(path: Path, layer: str, name: str) -> Array:
    with h5py.File(path) as file:
        return np.asarray(file["model_weights"][layer][name])


def check_keras_names(layer: LayerReport, path: Path, weights: Any) -> None:
    names = {part: own for part, (own,) in layer.parameters.items()}
    assert list(names) == ["kernel", "recurrent", "bias"]
    for part, array in (
        ("kernel", weights.kernel),
        ("recurrent", weights.recurrent_kernel),
        ("bias", weights.bias),
    ):
        np.testing.assert_array_equal(in_file(path, layer.name, names[part]), array)


@pytest.mark.parametrize(
    "path",
    [
        "keras/keras-2.0.9/bidi.h5",
        "keras/keras-2.2.4/lstm_gru_srnn.h5",
        "keras/keras-3.15/lstm_basic.h5",
        "keras/keras-3.15/bidi_concat_sum.h5",
        "keras/tf-keras-2.15/lstm_stacked_dropout.h5",
        "networks/keras-3.4.1/stacked_cells.h5",
    ],
)
def test_the_names_lead_to_the_arrays_in_a_keras_file(path: str) -> None:
    diagnosis = diagnose(DATA / path)
    checked = 0
    for layer, run in zip(diagnosis.report.layers, diagnosis.run.layers, strict=True):
        # A GRU's two biases are one array in the file.
        if layer.kind != "GRU":
            check_keras_names(layer, DATA / path, run.weights)
            checked += 1
    assert checked


def test_a_layer_without_biases_has_no_names_for_them(tmp_path: Path) -> None:
    diagnosis, _ = saved(tmp_path, keras.layers.LSTM(4, use_bias=False))
    assert diagnosis.report.layers[0].parameters["bias"] == ()


# ---------------------------------------------------------------- PyTorch: arguments

MODULES = [
    nn.LSTM(5, 6),
    nn.LSTM(5, 6, num_layers=2, bidirectional=True, proj_size=4),
    nn.LSTM(5, 6, bias=False, proj_size=2),
    nn.GRU(3, 4, num_layers=3, bias=False),
    nn.RNN(5, 6, bidirectional=True, nonlinearity="relu"),
    nn.LSTMCell(5, 6),
    nn.GRUCell(5, 6, bias=False),
    nn.RNNCell(2, 3),
]


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_torch_builds_the_same_module_from_the_arguments(inspect: Inspect, module: Any) -> None:
    tensors = {f"net.{name}": tensor for name, tensor in module.state_dict().items()}
    for layer in inspect(tensors).report.layers:
        arguments = dict(layer.arguments)
        assert arguments.pop("class_name") == type(module).__name__
        assert arguments.pop("module") == "net"
        again = getattr(nn, type(module).__name__)(**arguments)
        assert {name: tensor.shape for name, tensor in again.state_dict().items()} == {
            name: tensor.shape for name, tensor in module.state_dict().items()
        }
        assert arguments == {name: getattr(module, name) for name in arguments}
        assert ("proj_size" in arguments) == bool(getattr(module, "proj_size", 0))


# ---------------------------------------------------------------- PyTorch: names of tensors


def test_the_names_lead_to_the_tensors_of_each_layer_and_direction(inspect: Inspect) -> None:
    module = nn.LSTM(5, 6, num_layers=2, bidirectional=True, proj_size=4)
    tensors = {f"module.rnn.{name}": tensor for name, tensor in module.state_dict().items()}
    done = inspect(tensors)
    assert len(done.run.layers) == 4
    for layer, run in zip(done.report.layers, done.run.layers, strict=True):
        (kernel,), (recurrent,) = layer.parameters["kernel"], layer.parameters["recurrent"]
        np.testing.assert_array_equal(tensors[kernel].T, run.weights.kernel)
        np.testing.assert_array_equal(tensors[recurrent].T, run.weights.recurrent_kernel)
        b_ih, b_hh = layer.parameters["bias"]
        total = (tensors[b_ih].double() + tensors[b_hh].double()).float()
        np.testing.assert_array_equal(total, run.weights.bias)
        (projection,) = layer.parameters["projection"]
        assert projection == kernel.replace("weight_ih", "weight_hr")
        assert kernel.endswith("_reverse") == (layer.direction == "backward")
    every = [
        name for layer in done.report.layers for own in layer.parameters.values() for name in own
    ]
    assert sorted(every) == sorted(tensors)


def test_modules_without_biases_have_no_names_for_them(inspect: Inspect) -> None:
    plain = inspect(nn.GRU(5, 6, bias=False).state_dict()).report.layers[0].parameters
    assert plain == {"kernel": ("weight_ih_l0",), "recurrent": ("weight_hh_l0",), "bias": ()}
    projected = inspect(nn.LSTM(5, 6, bias=False, proj_size=2).state_dict()).report.layers[0]
    assert projected.parameters["projection"] == ("weight_hr_l0",)
    assert projected.parameters["bias"] == ()


def recurrent_names(inspect: Inspect, tensors: Mapping[str, Any]) -> tuple[str, ...]:
    return inspect(tensors).report.layers[0].parameters["recurrent"]


def test_of_a_weight_in_pieces_those_are_named_that_are_trained(inspect: Inspect) -> None:
    normed = weight_norm(nn.LSTM(5, 6), "weight_hh_l0")
    names = recurrent_names(inspect, normed.state_dict())
    assert set(names) == {name for name, _ in normed.named_parameters() if "weight_hh" in name}
    assert len(names) == 2

    pruned = nn.LSTM(5, 6)
    prune.random_unstructured(pruned, "weight_hh_l0", amount=0.3)
    assert recurrent_names(inspect, pruned.state_dict()) == ("weight_hh_l0_orig",)

    plain = nn.LSTM(5, 6).state_dict()
    dropped = {f"rnn.module.{name}": tensor for name, tensor in plain.items()}
    dropped["rnn.weight_hh_l0_raw"] = dropped.pop("rnn.module.weight_hh_l0")
    assert recurrent_names(inspect, dropped) == ("rnn.weight_hh_l0_raw",)


def test_what_is_not_recurrent_has_arguments_too(inspect: Inspect) -> None:
    net = nn.ModuleDict({"embed": nn.Embedding(9, 5), "rnn": nn.GRU(5, 6), "out": nn.Linear(6, 2)})
    found = {layer.name: layer for layer in inspect(net.state_dict()).report.network}
    assert found["embed"].arguments == {
        "class_name": "Embedding",
        "embedding_dim": 5,
        "module": "embed",
    }
    assert found["out"].arguments == {
        "class_name": "Linear",
        "in_features": 6,
        "out_features": 2,
        "bias": True,
        "module": "out",
    }
    assert found["rnn"].kind == "GRU"
    assert found["rnn"].arguments["hidden_size"] == 6


def test_norms_beside_isolated_modules_are_told(inspect: Inspect) -> None:
    net = nn.ModuleDict(
        {
            "encoder": nn.LSTM(5, 6),
            "decoder": nn.LSTM(7, 8),
            "encoder_norm": nn.LayerNorm(6),
            "batch": nn.BatchNorm1d(8),
            "picture": nn.Conv2d(1, 2, 3),
            "head": nn.Linear(8, 2),
            "odd": nn.Linear(3, 4, bias=False),
        }
    )
    report = inspect(net.state_dict()).report
    assert report.probe.wiring == "isolated"
    kinds = {layer.name: layer.kind for layer in report.network if layer.kind != "InputLayer"}
    # A matrix by itself may be an Embedding's, and convolutions are not told.
    assert kinds == {
        "encoder": "LSTM",
        "decoder": "LSTM",
        "encoder_norm": "LayerNormalization",
        "batch": "BatchNormalization",
        "head": "Dense",
    }
    norms = {layer.name: layer.arguments for layer in report.network}
    assert norms["encoder_norm"] == {"normalized_shape": [6], "module": "encoder_norm"}
    assert norms["batch"] == {"num_features": 8, "module": "batch"}


def test_norms_are_told_where_there_is_no_recurrent_module(inspect: Inspect) -> None:
    report = inspect({"norm.weight": torch.ones(4), "norm.bias": torch.zeros(4)}).report
    assert [(layer.name, layer.kind) for layer in report.network] == [
        ("norm", "LayerNormalization")
    ]
