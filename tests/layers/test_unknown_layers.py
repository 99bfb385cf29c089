"""Layers that are not rebuilt: what lies behind them is isolated, and the rest goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch

from rnndiag.layers._ops.arguments import Slot
from rnndiag.layers.base import Recorder, Signal, build
from rnndiag.layers.bidirectional import Bidirectional
from rnndiag.records import Call, Graph, LayerSpec, Ref
from rnndiag.running.network import Network, Pass
from tests.graphs import called, chain, layer, lstm, source

BATCH, STEPS, FEATURES = 3, 5, 2
SEQUENCES = {"return_sequences": True}


def matrices(*shapes: tuple[int, ...]) -> list[Any]:
    return [np.zeros(shape, np.float32) for shape in shapes]


def run(graph: Graph) -> Pass:
    recorder = Recorder(
        generator=torch.Generator().manual_seed(0),
        batch=BATCH,
        timesteps=STEPS,
        device=torch.device("cpu"),
    )
    network = Network(graph, recorder.device)
    inputs = tuple(Signal(torch.ones(BATCH, STEPS, FEATURES)) for _ in graph.inputs)
    return network.run(inputs, recorder)


def test_what_lies_behind_an_unknown_layer_is_fed_noise() -> None:
    before = lstm("before", FEATURES, config=SEQUENCES)
    custom = layer("attention", "MyAttention", *matrices((4, 4)))
    behind = lstm("behind", 4, config=SEQUENCES)
    last = lstm("last", 4)
    done = run(chain(source("x", (None, None, FEATURES)), before, custom, behind, last))
    reasons = {entry.spec.name: entry.isolated for entry in done.recorder.entries}
    assert reasons["before"] is None
    assert reasons["behind"] == reasons["last"]
    assert "MyAttention" in str(reasons["behind"])
    # What noise has become is not what the network gives, but better than more noise.
    (output,) = done.outputs
    assert output.lost == reasons["behind"]
    assert output.value is not None


def test_what_noise_has_become_stays_lost() -> None:
    dense = layer("dense", "Dense", *matrices((4, 2)))
    done = run(chain(source("x", None), layer("custom", "Mystery"), lstm("lstm", 3), dense))
    assert "Mystery" in str(done.outputs[0].lost)


def test_what_lies_beside_an_unknown_layer_is_not_touched() -> None:
    specs = {
        spec.name: spec
        for spec in (
            source("x", (None, None, FEATURES)),
            lstm("beside", FEATURES, config=SEQUENCES),
            layer("custom", "Mystery"),
            layer("joined", "Concatenate", config={"axis": -1}),
            lstm("behind", 8),
        )
    }
    refs = {name: Ref(layer=name) for name in specs}
    calls = (
        Call(layer="beside", inputs=(refs["x"],)),
        Call(layer="custom", inputs=(refs["x"],)),
        Call(layer="joined", inputs=(refs["beside"], refs["custom"])),
        Call(layer="behind", inputs=(refs["joined"],)),
    )
    outputs = (refs["beside"], refs["behind"])
    done = run(Graph(layers=specs, calls=calls, inputs=(refs["x"],), outputs=outputs))
    assert [signal.lost is None for signal in done.outputs] == [True, False]
    assert [entry.isolated is None for entry in done.recorder.entries] == [True, False]


@pytest.mark.parametrize(
    ("kind", "arrays", "listed"),
    [
        ("ReversedLSTM", [], True),
        ("Custom>GRUWithNorm", [], True),
        ("PeepholeRnn", [], True),
        ("ConvLSTM2D", matrices((3, 3, 2, 8)), True),
        # Two gates and more over the same units: (I, 3H) beside (H, 3H).
        ("Mystery", matrices((5, 12), (4, 12), (12,)), True),
        ("Mystery", matrices((5, 16), (4, 16)), True),
        # A perceptron's matrices, an attention's query, key and value.
        ("Mystery", matrices((5, 4), (4, 4)), False),
        ("MultiHeadAttention", matrices((4, 12), (12, 4)), False),
        ("LearnNet", [], False),
        ("Lambda", [], False),
        ("Conv2D", matrices((3, 3, 2, 8), (8,)), False),
    ],
)
def test_only_what_looks_recurrent_is_missing(kind: str, arrays: list[Any], listed: bool) -> None:
    missing = build(layer("strange", kind, *arrays)).not_analysed()
    assert [item.name for item in missing] == (["strange"] if listed else [])


def test_a_wrapper_of_an_unknown_layer_is_missing() -> None:
    wrapped = layer("wrapped", "AttentionCell")
    for kind, config in (("RNN", {}), ("Bidirectional", {})):
        spec = layer("outer", kind, config=config, inner=(wrapped, wrapped))
        (missing,) = build(spec).not_analysed()
        assert "AttentionCell" in missing.reason
    distributed = layer("outer", "TimeDistributed", inner=(layer("wrapped", "MyGRU"),))
    assert [item.kind for item in build(distributed).not_analysed()] == ["MyGRU"]


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (layer("d", "Dense", *matrices((2, 3)), config={"activation": "my_relu"}), "my_relu"),
        (layer("d", "Dense"), "not as expected"),
        (layer("c", "Conv1D", *matrices((2, 2, 2)), config={"padding": "full"}), "full"),
        (
            layer("c", "Conv1D", *matrices((2, 2, 2)), config={"data_format": "channels_middle"}),
            "channels_middle",
        ),
        (layer("p", "MaxPooling1D", config={"padding": "causal"}), "causal"),
        (layer("n", "BatchNormalization", *matrices((2,), (2,)), config={"axis": [1, 2]}), "axes"),
        (layer("m", "Dot", config={"axes": [0, 1]}), "dot product"),
        (layer("b", "Bidirectional", config={"merge_mode": "max"}), "max"),
        (layer("z", "ZeroPadding1D", config={"padding": [1, 2, 3]}), "before and after"),
        (layer("o", "ops.NotEqual", config=called(Slot(0))), "x2"),
        (layer("o", "ops.Max", config=called(Slot(0), initial=3.0)), "initial"),
        (layer("o", "ops.Cast", config=called(Slot(0), dtype={"class_name": "X"})), "'X'"),
        (layer("o", "ops.Mean", config={**called(Slot(0)), "differs": True}), "different"),
        (layer("o", "tf.nn.dropout", config=called(Slot(0), rate=0.5)), "unsupported operation"),
        (layer("o", "Lambda", config={"function": ["4wEA"]}), "never run"),
        (lstm("l", 2, config={"activation": {"class_name": "Custom>Act"}}), "Custom>Act"),
    ],
)
def test_the_reason_says_what_is_not_supported(spec: LayerSpec, reason: str) -> None:
    built = build(spec)
    (signal,) = built.run((), (), Recorder(torch.Generator(), 1, 1, torch.device("cpu")))
    assert signal.value is None
    assert reason in str(signal.lost)
    assert spec.name in str(signal.lost)


def test_a_shape_that_does_not_fit_is_told() -> None:
    dense = layer("dense", "Dense", *matrices((7, 3)))
    done = run(chain(source("x", (None, None, FEATURES)), dense))
    assert "dense: Dense does not take (3, 5, 2)" in str(done.outputs[0].lost)


@pytest.mark.parametrize(
    "shape", [(BATCH, FEATURES), (BATCH, 0, FEATURES), (BATCH, 1, 2, FEATURES)]
)
def test_a_recurrent_layer_wants_a_sequence(shape: tuple[int, ...]) -> None:
    recorder = Recorder(torch.Generator().manual_seed(0), BATCH, STEPS, torch.device("cpu"))
    network = Network(chain(source("x", None), lstm("lstm", FEATURES)), recorder.device)
    network.run((Signal(torch.zeros(shape)),), recorder)
    (entry,) = recorder.entries
    assert str(shape) in str(entry.isolated)
    assert entry.journal.run.h.shape[:2] == (STEPS, BATCH)


@pytest.mark.parametrize("states", [1, 3])
def test_initial_states_that_do_not_fit_are_told(states: int) -> None:
    inputs = (Ref(layer="x"), *(Ref(layer=f"s{k}") for k in range(states)))
    graph = Graph(
        layers={ref.layer: source(ref.layer, None) for ref in inputs}
        | {"lstm": lstm("lstm", FEATURES)},
        calls=(Call(layer="lstm", inputs=inputs[:1], initial_state=inputs[1:]),),
        inputs=inputs,
        outputs=(Ref(layer="lstm"),),
    )
    (entry,) = run(graph).recorder.entries
    assert "initial state" in str(entry.isolated)


def test_a_mask_that_does_not_fit_is_told() -> None:
    recorder = Recorder(torch.Generator().manual_seed(0), BATCH, STEPS, torch.device("cpu"))
    network = Network(chain(source("x", None), lstm("lstm", FEATURES)), recorder.device)
    mask = torch.ones(BATCH, STEPS, 2, dtype=torch.bool)
    network.run((Signal(torch.zeros(BATCH, STEPS, FEATURES), mask),), recorder)
    assert "mask" in str(recorder.entries[0].isolated)


def test_both_directions_of_an_isolated_wrapper_are_measured() -> None:
    config: Mapping[str, Any] = {"merge_mode": "concat"}
    back = lstm("both", FEATURES, config={"go_backwards": True})
    both = layer("both", "Bidirectional", config=config, inner=(lstm("both", FEATURES), back))
    assert isinstance(build(both), Bidirectional)
    done = run(chain(source("x", None), layer("custom", "Mystery"), both))
    assert [entry.go_backwards for entry in done.recorder.entries] == [False, True]
    assert all("Mystery" in str(entry.isolated) for entry in done.recorder.entries)


def test_layers_inside_a_lost_time_distributed_are_measured() -> None:
    inner = lstm("inside", FEATURES)
    wrapper = layer("each", "TimeDistributed", inner=(inner,))
    done = run(chain(source("x", None), layer("custom", "Mystery"), wrapper))
    assert [entry.spec.name for entry in done.recorder.entries] == ["inside"]
    assert done.outputs[0].value is None


def test_halves_that_do_not_fit_together_are_told() -> None:
    back = lstm("both", FEATURES, 5)
    both = layer(
        "both", "Bidirectional", config={"merge_mode": "sum"}, inner=(lstm("both", 2), back)
    )
    done = run(chain(source("x", None), both, lstm("behind", 4)))
    assert "both: " in str(done.outputs[0].lost)
    assert [entry.isolated is None for entry in done.recorder.entries] == [True, True, False]


def test_a_distributed_layer_that_does_not_fit_is_told() -> None:
    wrapper = layer("each", "TimeDistributed", inner=(lstm("inside", 7),))
    recorder = Recorder(torch.Generator().manual_seed(0), BATCH, STEPS, torch.device("cpu"))
    network = Network(chain(source("x", None), wrapper), recorder.device)
    (output,) = network.run((Signal(torch.zeros(BATCH, 4, 6, 2)),), recorder).outputs
    assert "(12, 6, 2)" in str(output.lost)
    assert len(recorder.entries) == 1
