"""Configurations as graphs: names, inputs, custom classes, and what makes no sense."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnndiag import dialects
from rnndiag.errors import RnndiagError, UnreadableCheckpoint, UnsupportedCheckpoint
from rnndiag.records import Checkpoint, Graph, KerasModel, NamedArray, Ref, Writer
from rnndiag.wiring import keras_config

SHAPE = [None, 7, 3]
LSTM_ARRAYS = ((3, 16), (4, 16), (16,))


def config(kind: str, name: str | None = None, **own: Any) -> dict[str, Any]:
    named = {"name": name, "trainable": True} if name else {}
    return {"class_name": kind, "config": {**named, **own}}


def graph(model: Any, *, version: str = "2.15.0", **weights: tuple[tuple[int, ...], ...]) -> Graph:
    """The graph of a configuration, its arrays zeros of the given shapes."""
    stored = {
        layer: tuple(
            NamedArray(name=str(k), array=np.zeros(shape)) for k, shape in enumerate(shapes)
        )
        for layer, shapes in weights.items()
    }
    content = KerasModel(config=model, weights=stored)
    checkpoint = Checkpoint(
        path=Path("it.h5"),
        format="keras-h5",
        writer=Writer(framework="keras", version=version),
        size_bytes=0,
        sha256="",
        content=content,
    )
    return keras_config.graph(checkpoint, content)


def sequential(*layers: Any, **own: Any) -> dict[str, Any]:
    return {"class_name": "Sequential", "config": {"name": "model", "layers": list(layers), **own}}


LSTM = config("LSTM", "lstm", units=4, batch_input_shape=SHAPE)


@pytest.mark.parametrize(
    "model",
    [
        {"class_name": "Sequential", "config": [LSTM]},
        sequential(LSTM),
        sequential(
            config("InputLayer", "lstm_input", batch_input_shape=SHAPE), config("LSTM", "lstm")
        ),
        sequential(config("InputLayer", "lstm_input", batch_shape=SHAPE), config("LSTM", "lstm")),
        sequential(config("LSTM", "lstm"), build_input_shape=SHAPE),
        sequential({**config("LSTM", "lstm"), "build_config": {"input_shape": SHAPE}}),
    ],
)
def test_a_sequential_model_tells_its_input(model: Any) -> None:
    found = graph(model, lstm=LSTM_ARRAYS)
    assert found.inputs == (Ref(layer="lstm_input"),)
    assert found.layers["lstm_input"].config["batch_shape"] == SHAPE
    assert found.outputs == (Ref(layer="lstm"),)


@pytest.mark.parametrize(
    "layer",
    [
        config("Bidirectional", "first", layer=LSTM, batch_input_shape=SHAPE),
        config("Bidirectional", "first", layer=LSTM),
        {**sequential(LSTM), "name": "first"},
        {"class_name": "Sequential", "config": [LSTM], "name": "first"},
    ],
)
def test_the_input_s_shape_may_stand_inside(layer: dict[str, Any]) -> None:
    if isinstance(layer["config"], dict):
        layer = {**layer, "config": {**layer["config"], "name": "first"}}
    shapes = LSTM_ARRAYS * (2 if layer["class_name"] == "Bidirectional" else 1)
    found = graph(sequential(layer), first=shapes)
    assert found.layers["first_input"].config["batch_shape"] == SHAPE


def test_a_layer_may_be_called_input() -> None:
    model = sequential(config("LSTM", "input", batch_input_shape=SHAPE))
    assert list(graph(model, input=LSTM_ARRAYS).layers) == ["input_input", "input"]


def test_nested_models_without_names_have_those_of_the_file() -> None:
    inner = {"class_name": "Sequential", "config": [LSTM]}
    model = {"class_name": "Sequential", "config": [inner, config("Dropout", "drop")]}
    found = graph(model, version="2.0.9", sequential_1=LSTM_ARRAYS, drop=())
    nested = found.layers["sequential_1"].graph
    assert nested is not None
    assert [len(spec.weights) for spec in nested.layers.values()] == [0, 3]


def test_names_to_show() -> None:
    """A wrapper's name for what it wraps, a path in a nested model, a number in a stack."""
    cells = [config("LSTMCell"), config("GRUCell")]
    stack = config("RNN", "stack", cell=config("StackedRNNCells", cells=cells))
    both = config("Bidirectional", "both", layer=config("GRU", "forward_gru"))
    model = sequential(
        {**sequential(LSTM), "config": {**sequential(LSTM)["config"], "name": "tower"}},
        config("TimeDistributed", "each", layer=config("LSTM", "inside")),
        both,
        stack,
    )
    shapes = {
        "tower": LSTM_ARRAYS,
        "each": LSTM_ARRAYS,
        "both": LSTM_ARRAYS * 2,
        "stack": LSTM_ARRAYS * 2,
    }
    layers = graph(model, **shapes).layers
    assert layers["tower"].graph is not None
    assert layers["tower"].graph.layers["lstm"].name == "tower/lstm"
    assert layers["each"].inner[0].name == "each"
    assert [inner.name for inner in layers["both"].inner] == ["both", "both"]
    assert [bool(inner.config.get("go_backwards")) for inner in layers["both"].inner] == [
        False,
        True,
    ]
    assert [(i.name, i.label, i.index, i.kind) for i in layers["stack"].inner] == [
        ("stack_l0", "stack", 0, "LSTMCell"),
        ("stack_l1", "stack", 1, "GRUCell"),
    ]


@pytest.mark.parametrize(
    ("version", "zeroes", "reversed_states"),
    [
        ("2.0.9", False, True),
        ("2.1.6", False, True),
        ("2.2.2", False, True),
        ("2.2.3", False, False),
        ("2.3.1", False, False),
        ("2.1.6-tf", False, False),
        ("2.2.4-tf", True, False),
        ("2.3.0-tf", True, False),
        ("2.4.0", True, False),
        ("2.15.0", True, False),
        ("3.15.1", True, False),
    ],
)
def test_what_the_version_decides(version: str, zeroes: bool, reversed_states: bool) -> None:
    wrapped = config("LSTM", "lstm", return_sequences=True)
    model = sequential(
        config("InputLayer", "x", batch_input_shape=SHAPE),
        config("Bidirectional", "both", layer=wrapped),
        config("RNN", "stack", cell=config("StackedRNNCells", cells=[config("LSTMCell")] * 2)),
    )
    layers = graph(model, version=version, both=LSTM_ARRAYS * 2, stack=LSTM_ARRAYS * 2).layers
    assert [inner.config["zero_output_for_mask"] for inner in layers["both"].inner] == [zeroes] * 2
    assert dialects.puts_last_cell_first(layers["stack"].writer) == reversed_states


def test_bidirectional_arrays_are_divided_by_what_the_halves_have() -> None:
    back = config("GRU", "back", use_bias=False, go_backwards=True)
    model = sequential(config("Bidirectional", "both", layer=LSTM, backward_layer=back))
    found = graph(model, both=(*LSTM_ARRAYS, (3, 12), (4, 12)))
    assert [len(inner.weights) for inner in found.layers["both"].inner] == [3, 2]


@pytest.mark.parametrize(
    "more",
    [
        {"module": "my_package.layers"},
        {"module": None, "registered_name": "my_package>LSTM"},
    ],
)
def test_a_custom_class_may_have_keras_s_name(more: dict[str, Any]) -> None:
    found = graph(sequential({**LSTM, **more}), lstm=LSTM_ARRAYS)
    assert found.layers["lstm"].problem == "a custom class"
    own = {"module": "keras.src.layers.rnn.lstm", "registered_name": "LSTM"}
    assert graph(sequential({**LSTM, **own}), lstm=LSTM_ARRAYS).layers["lstm"].problem is None


def test_operations_are_told_from_layers_of_the_same_name() -> None:
    operation = {"class_name": "Add", "config": {"name": "add"}, "inbound_nodes": []}
    model = sequential(config("InputLayer", "x"), operation, config("Add", "layer"))
    kinds = [spec.kind for spec in graph(model, version="3.15.1").layers.values()]
    assert kinds == ["InputLayer", "ops.Add", "Add"]
    newer = {**config("Add", "add"), "module": "keras.src.ops.numpy", "inbound_nodes": []}
    model = sequential(config("InputLayer", "x"), newer, config("SpatialDropout1D", "drop"))
    assert graph(model, version="3.15.1").layers["add"].kind == "ops.Add"


def test_a_functional_model_of_a_custom_class_is_read_with_a_note() -> None:
    own = {
        "layers": [config("InputLayer", "x", batch_input_shape=SHAPE)],
        "input_layers": [["x", 0, 0]],
        "output_layers": [["x", 0, 0]],
    }
    found = graph({"class_name": "MyModel", "config": own})
    assert "MyModel" in found.notes[0]


def test_a_subclassed_model_has_no_wiring() -> None:
    with pytest.raises(UnsupportedCheckpoint, match="MyModel lists no layers"):
        graph({"class_name": "MyModel", "config": {"name": "it"}})


@pytest.mark.parametrize("weights", [{}, {"lstm": ()}, {"other": LSTM_ARRAYS}])
def test_missing_arrays_are_the_file_s_fault(weights: Any) -> None:
    with pytest.raises(UnreadableCheckpoint, match=r"'lstm' \(LSTM\) has no arrays"):
        graph(sequential(LSTM), **weights)


@pytest.mark.parametrize(
    "model",
    [
        {},
        {"class_name": "Sequential"},
        {"class_name": "Sequential", "config": 3},
        {"class_name": "Sequential", "config": [{}]},
        {"class_name": "Sequential", "config": [{"class_name": "LSTM", "config": None}]},
        sequential(config("Bidirectional", "both")),
        sequential(config("Bidirectional", "both", layer=3)),
        sequential(config("TimeDistributed", "each", layer={"class_name": "Dense"})),
        sequential(config("RNN", "rnn", cell=None)),
        sequential(config("RNN", "rnn", cell={"class_name": "StackedRNNCells", "config": {}})),
        {"class_name": "Model", "config": {"layers": [LSTM], "output_layers": 3}},
        {"class_name": "Model", "config": {"layers": [LSTM], "output_layers": [["lstm", 0, 0]]}},
        {
            "class_name": "Model",
            "config": {
                "layers": [{**LSTM, "inbound_nodes": 5}],
                "input_layers": [["lstm", 0, 0]],
                "output_layers": [["lstm", 0, 0]],
            },
        },
    ],
)
def test_configurations_that_make_no_sense(model: Any) -> None:
    with pytest.raises(RnndiagError, match=r"it\.h5"):
        graph(model, lstm=LSTM_ARRAYS, both=LSTM_ARRAYS * 2, rnn=LSTM_ARRAYS, each=LSTM_ARRAYS)
