"""Inbound nodes in every dialect, and the order of the calls that they make."""

from __future__ import annotations

from typing import Any

import pytest

from rnndiag.layers._ops.arguments import Slot
from rnndiag.records import Call, Ref
from rnndiag.wiring._keras_nodes import calls_of, refs
from rnndiag.wiring._keras_operands import operands_of, operation_calls, operation_kind
from rnndiag.wiring._keras_order import from_zero, ordered


def ref(layer: str, call: int = 0, tensor: int = 0) -> Ref:
    return Ref(layer=layer, call=call, tensor=tensor)


def tensor(layer: str, call: int = 0, output: int = 0) -> dict[str, Any]:
    config = {"shape": [None, 3], "dtype": "float32", "keras_history": [layer, call, output]}
    return {"class_name": "__keras_tensor__", "config": config}


def calls(kind: str, *nodes: Any) -> list[Call]:
    return calls_of("it", {"class_name": kind, "inbound_nodes": list(nodes)})


@pytest.mark.parametrize(
    "node",
    [
        [["a", 0, 0]],
        [["a", 0, 0, {}]],
        ["a", 0, 0, {}],
        {"args": [tensor("a")], "kwargs": {"training": False, "mask": None}},
        {"args": [], "kwargs": {"inputs": tensor("a")}},
    ],
)
def test_one_input(node: Any) -> None:
    assert calls("Dense", node) == [Call(layer="it", inputs=(ref("a"),))]


@pytest.mark.parametrize(
    "node",
    [
        [["a", 0, 0, {}], ["b", 1, 2, {}]],
        [["a", 0, 0, {"y": ["b", 1, 2]}]],
        {"q": ["b", 1, 2, {}], "p": ["a", 0, 0, {}]},
        {"args": [[tensor("a"), tensor("b", 1, 2)]], "kwargs": {}},
        {"args": [tensor("a"), tensor("b", 1, 2)], "kwargs": {}},
        {"args": [{"q": tensor("b", 1, 2), "p": tensor("a")}], "kwargs": {}},
    ],
)
def test_two_inputs(node: Any) -> None:
    assert calls("Concatenate", node)[0].inputs == (ref("a"), ref("b", 1, 2))


@pytest.mark.parametrize("kind", ["LSTM", "Bidirectional", "RNN"])
@pytest.mark.parametrize(
    "node",
    [
        [["x", 0, 0, {}], ["e", 0, 1, {}], ["e", 0, 2, {}]],
        [["x", 0, 0, {"initial_state": [["e", 0, 1], ["e", 0, 2]]}]],
        [
            ["x", 0, 0, {"initial_state": [["e", 0, 1], ["e", 0, 2]]}],
            ["e", 0, 1, {}],
            ["e", 0, 2, {}],
        ],
        {
            "args": [tensor("x")],
            "kwargs": {"initial_state": [tensor("e", 0, 1), tensor("e", 0, 2)]},
        },
        {"args": [tensor("x"), [tensor("e", 0, 1), tensor("e", 0, 2)]], "kwargs": {}},
    ],
)
def test_initial_states(kind: str, node: Any) -> None:
    (call,) = calls(kind, node)
    assert call.inputs == (ref("x"),)
    assert call.initial_state == (ref("e", 0, 1), ref("e", 0, 2))


def test_a_bare_initial_state() -> None:
    node = {"args": [tensor("x")], "kwargs": {"initial_state": tensor("e", 0, 1)}}
    assert calls("GRU", node)[0].initial_state == (ref("e", 0, 1),)


@pytest.mark.parametrize(
    "node",
    [
        [["x", 0, 0, {"mask": ["m", 0, 0]}]],
        {"args": [tensor("x")], "kwargs": {"mask": tensor("m")}},
        {"args": [tensor("x"), None, tensor("m")], "kwargs": {}},
    ],
)
def test_masks_given_by_hand(node: Any) -> None:
    assert calls("GRU", node) == [Call(layer="it", inputs=(ref("x"),), mask=ref("m"))]


def operation(*nodes: Any, kind: str = "TFOpLambda", **config: Any) -> dict[str, Any]:
    return {"class_name": kind, "config": config, "inbound_nodes": list(nodes)}


@pytest.mark.parametrize(
    ("node", "args", "kwargs"),
    [
        # 1 - x, as tf.keras and as Keras 3 keep it.
        (["_CONSTANT_VALUE", -1, 1.0, {"y": ["x", 0, 0]}], [1.0], {"y": Slot(0)}),
        ({"args": [1.0, tensor("x")], "kwargs": {}}, [1.0, Slot(0)], {}),
        # A list of tensors, with the same arguments beside each; before 2.5 a list of one.
        ([["x", 0, 0, {"axis": 1}], ["y", 0, 0, {"axis": 1}]], [[Slot(0), Slot(1)]], {"axis": 1}),
        ([["x", 0, 0, {"axis": 1}]], [Slot(0)], {"axis": 1}),
        # A size that is a tensor.
        (
            ["x", 0, 0, {"shape": [-1, ["y", 0, 0], 2]}],
            [Slot(0)],
            {"shape": [-1, Slot(1), 2]},
        ),
        ({"args": [[tensor("x"), tensor("y")]], "kwargs": {}}, [[Slot(0), Slot(1)]], {}),
        ({"args": [tensor("x")], "kwargs": {"b": [tensor("y")]}}, [Slot(0)], {"b": [Slot(1)]}),
    ],
)
def test_the_places_of_an_operation_s_tensors(node: Any, args: Any, kwargs: Any) -> None:
    config = operation(node)
    assert operands_of(config) == {"args": args, "kwargs": kwargs, "differs": False}
    (call,) = operation_calls("it", config)
    assert [taken.layer for taken in call.inputs] == ["x", "y"][: len(call.inputs)]
    assert len(call.inputs) == str((args, kwargs)).count("Slot")


def test_calls_that_differ_in_a_constant_are_told() -> None:
    nodes = [["x", 0, 0, {"axis": 1}], ["x", 0, 0, {"axis": 2}]]
    assert operands_of(operation(*nodes))["differs"]
    assert not operands_of(operation(nodes[0], ["y", 0, 0, {"axis": 1}]))["differs"]


def test_what_operations_are_called() -> None:
    assert operation_kind(operation(function="compat.v1.transpose")) == "tf.transpose"
    assert operation_kind(operation(function="math.add")) == "tf.math.add"
    assert operation_kind(operation(kind="Mean")) == "ops.Mean"


def test_each_node_is_a_call() -> None:
    made = calls("LSTM", [["a", 0, 0, {}]], [["b", 0, 0, {}]])
    assert [(call.index, call.inputs) for call in made] == [(0, (ref("a"),)), (1, (ref("b"),))]
    assert calls_of("it", {"class_name": "InputLayer"}) == []


@pytest.mark.parametrize(
    ("entry", "want"),
    [
        (["a", 0, 0], ["a"]),
        ([["a", 0, 0]], ["a"]),
        ([["a", 0, 0], ["b", 0, 0]], ["a", "b"]),
        ({"second": ["b", 0, 0], "first": ["a", 0, 0]}, ["a", "b"]),
        ([[["a", 0, 0], ["b", 0, 0]], ["c", 0, 0]], ["a", "b", "c"]),
    ],
)
def test_inputs_and_outputs_of_a_model(entry: Any, want: list[str]) -> None:
    assert [found.layer for found in refs(entry)] == want


TOWER = [
    Call(layer="tower", index=0, inputs=(ref("x"),)),
    Call(layer="tower", index=1, inputs=(ref("x"),)),
]


def test_before_keras_3_calls_of_a_model_count_from_1() -> None:
    joined = Call(layer="sum", inputs=(ref("tower", 1), ref("tower", 2)))
    moved, outputs = from_zero([*TOWER, joined], (ref("sum"),), ["tower"], keras3=False)
    assert moved[-1].inputs == (ref("tower", 0), ref("tower", 1))
    assert outputs == (ref("sum"),)


def test_in_keras_3_only_the_outputs_do() -> None:
    again = Call(layer="sum", inputs=(ref("tower", 0), ref("tower", 1)))
    given = [*TOWER, again]
    moved, outputs = from_zero(given, (ref("sum"), ref("tower", 1)), ["tower"], keras3=True)
    assert moved == given
    assert outputs == (ref("sum"), ref("tower", 0))


@pytest.mark.parametrize(
    ("taken", "given", "wanted"),
    [
        ([1], [], [0]),
        ([1, 2], [], [0, 1]),
        ([2, 0], [], [1, 0]),
        ([1], [1], [0]),
        ([1], [0], [1]),
        ([0, 1], [], [0, 1]),
    ],
)
def test_keras_3_0_counts_the_calls_of_other_models(
    taken: list[int], given: list[int], wanted: list[int]
) -> None:
    """By calls; its outputs are counted without them."""
    made = [Call(layer="it", index=k, inputs=(ref("x"),)) for k in range(len({*taken, *given}))]
    if taken == given:
        made.append(Call(layer="it", index=1, inputs=(ref("x"),)))
    users = [Call(layer=f"user{k}", inputs=(ref("it", k),)) for k in taken]
    outputs = tuple(ref("it", k) for k in given)
    moved, shown = from_zero([*made, *users], outputs, [], keras3=True)
    assert [call.inputs[0].call for call in moved[len(made) :]] == wanted
    assert shown == outputs


def test_states_and_masks_are_counted_too() -> None:
    call = Call(
        layer="rnn",
        inputs=(ref("x"),),
        initial_state=(ref("tower", 1),),
        mask=ref("tower", 2),
    )
    (*_, moved), _ = from_zero([*TOWER, call], (ref("rnn"),), ["tower"], keras3=False)
    assert moved.initial_state == (ref("tower", 0),)
    assert moved.mask == ref("tower", 1)


def test_calls_wait_for_what_they_take() -> None:
    last = Call(layer="c", inputs=(ref("b"),), initial_state=(ref("a"),))
    masked = Call(layer="b", inputs=(ref("x"),), mask=ref("a"))
    first = Call(layer="a", inputs=(ref("x"),))
    lost = Call(layer="d", inputs=(ref("nowhere"),))
    assert ordered([lost, last, masked, first], ["x"]) == (first, masked, last, lost)
