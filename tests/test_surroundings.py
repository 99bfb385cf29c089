"""The network as a list: each layer once, in the order of the calls."""

from __future__ import annotations

from dataclasses import replace

from graphs import chain, embedding, layer, lstm, side_by_side, source

from rnndiag.records import Call, Graph, Ref
from rnndiag.surroundings import surroundings


def names(graph: Graph) -> list[str]:
    return [found.name for found in surroundings(graph)]


def test_layers_stand_in_the_order_of_their_calls() -> None:
    graph = chain(source("x", (None, 5, 3)), lstm("rnn", 3), layer("drop", "Dropout"))
    turned = replace(graph, layers=dict(reversed(graph.layers.items())))
    assert names(turned) == ["x", "rnn", "drop"]
    assert [found.kind for found in surroundings(turned)] == ["InputLayer", "LSTM", "Dropout"]


def test_inputs_stand_first_and_layers_that_are_not_called_last() -> None:
    graph = side_by_side(
        chain(source("x", None), lstm("one", 3)), chain(source("y", None), lstm("two", 3))
    )
    unused = layer("unused", "Dense")
    graph = replace(
        graph,
        layers={"unused": unused, **graph.layers},
        beside=(layer("norm", "LayerNormalization"),),
    )
    assert names(graph) == ["x", "y", "one", "two", "unused", "norm"]


def test_a_shared_layer_stands_once() -> None:
    graph = chain(source("x", None), lstm("rnn", 4))
    again = Call(layer="rnn", index=1, inputs=(Ref(layer="rnn"),))
    assert names(replace(graph, calls=(*graph.calls, again))) == ["x", "rnn"]


def test_nested_models_are_flattened_in_their_place() -> None:
    tower = chain(source("tower/x", None), embedding("tower/words", 9), lstm("tower/rnn", 3))
    middle = layer("tower", "Model", graph=tower)
    graph = chain(source("x", None), middle, layer("out", "Dense"))
    assert names(graph) == ["x", "tower/x", "tower/words", "tower/rnn", "out"]


def test_of_wrappers_what_they_wrap_is_shown() -> None:
    inside = chain(source("net/x", None), layer("net/dense", "Dense"))
    both = layer("both", "Bidirectional", inner=(lstm("both", 3), lstm("both", 3)))
    cells = layer("cells", "RNN", inner=(lstm("cells_l0", 3), lstm("cells_l1", 4)))
    timed = layer("timed", "TimeDistributed", inner=(layer("net", "Model", graph=inside),))
    graph = chain(source("x", None), both, cells, timed)
    found = [(item.name, item.kind) for item in surroundings(graph)]
    assert found == [
        ("x", "InputLayer"),
        ("both", "LSTM"),
        ("cells_l0", "LSTM"),
        ("cells_l1", "LSTM"),
        ("net/x", "InputLayer"),
        ("net/dense", "Dense"),
    ]


def test_a_wrapper_that_could_not_be_opened_stands_for_itself() -> None:
    closed = layer("mine", "Bidirectional", problem="a custom class")
    assert names(chain(source("x", None), closed)) == ["x", "mine"]


def test_arguments_are_told_without_initializers() -> None:
    arguments = {"rate": 0.3, "kernel_initializer": {"class_name": "Zeros"}, "units": 4}
    graph = chain(source("x", None), layer("drop", "Dropout", arguments=arguments))
    assert surroundings(graph)[1].arguments == {"rate": 0.3, "units": 4}
