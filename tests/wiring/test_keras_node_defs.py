"""Nodes of a TensorFlow graph that stand among the layers, as ``TensorFlowOpLayer`` keeps them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rnndiag import checkpoints, wiring
from rnndiag.layers._ops.arguments import Slot
from rnndiag.layers.base import Unknown, build
from rnndiag.records import Call, LayerSpec, Options, Ref, Writer
from rnndiag.wiring._keras_classes import is_operation
from rnndiag.wiring._keras_node_defs import node_operands
from rnndiag.wiring._keras_operands import operation_calls, operation_kind, operation_operands

NETWORKS = Path(__file__).parents[1] / "data" / "networks"
WRITER = Writer(framework="keras", version="2.2.4-tf")


def node(
    op: str, *inputs: str, constants: dict[str, Any] | None = None, **attr: Any
) -> dict[str, Any]:
    own = {"name": "it", "node_def": {"op": op, "attr": attr}, "constants": constants or {}}
    nodes = [[[name, 0, 0, {}] for name in inputs]]
    return {"class_name": "TensorFlowOpLayer", "config": own, "inbound_nodes": nodes}


def integer(value: int) -> dict[str, str]:
    return {"i": str(value)}


@pytest.mark.parametrize(
    ("config", "args", "kwargs"),
    [
        (node("Mul", "x", constants={"1": 2.0}), [Slot(0), 2.0], {}),
        (node("Sub", "x", constants={"0": 1.0}), [1.0, Slot(0)], {}),
        (node("Sub", "x", "y"), [Slot(0), Slot(1)], {}),
        # Between constants, and in a list of the first four.
        (
            node("Pack", "n", constants={"0": -1, "2": 2, "3": 2}, N=integer(4), axis=integer(0)),
            [[-1, Slot(0), 2, 2]],
            {"axis": 0},
        ),
        (
            node("ConcatV2", "x", "y", constants={"2": -1}, N=integer(2)),
            [[Slot(0), Slot(1)], -1],
            {},
        ),
        # Eleven places, which as texts would come in another order.
        (
            node("AddN", "x", constants={str(k): k for k in (*range(1, 3), 10, *range(3, 10))}),
            [Slot(0), *range(1, 11)],
            {},
        ),
    ],
)
def test_tensors_and_constants_in_their_places(config: Any, args: Any, kwargs: Any) -> None:
    assert operation_operands(config) == {"args": args, "kwargs": kwargs, "differs": False}


@pytest.mark.parametrize(
    ("stored", "want"),
    [
        ({"b": False}, False),
        ({"i": "-3"}, -3),
        ({"f": 0.25}, 0.25),
        ({"f": "Infinity"}, float("inf")),
        ({"s": "TkhXQw=="}, "NHWC"),
        ({"list": {"i": ["1", "-1"]}}, [1, -1]),
        ({"list": {}}, []),
        ({"shape": {"dim": []}}, {"shape": {"dim": []}}),
    ],
)
def test_attributes_in_python_s_values(stored: Any, want: Any) -> None:
    own = node("Any", "x", it=stored)["config"]
    assert node_operands(own, 1)["kwargs"] == {"it": want}


def test_only_types_that_inputs_do_not_have_count() -> None:
    types: dict[str, Any] = {"T": {"type": "DT_FLOAT"}, "_class": {"list": {}}}
    types["DstT"] = {"type": "DT_HALF"}
    assert node_operands(node("Cast", "x", **types)["config"], 1)["kwargs"] == {"DstT": "float16"}
    own = node("Cast", "x", DstT={"type": "DT_INT32"})["config"]
    assert node_operands(own, 1)["kwargs"] == {"DstT": "int32"}


def test_what_a_node_is_called_and_takes() -> None:
    config = node("AddV2", "x", "y")
    assert is_operation(config, WRITER)
    assert operation_kind(config) == "tf.raw_ops.AddV2"
    inputs = (Ref(layer="x"), Ref(layer="y"))
    assert list(operation_calls("it", config)) == [Call(layer="it", inputs=inputs)]


@pytest.mark.parametrize("place", ["2", "-1", "9" * 30, "Infinity"])
def test_constants_out_of_place_are_refused(place: str) -> None:
    with pytest.raises(ValueError, match=r"out of place|invalid literal"):
        node_operands(node("Mul", "x", constants={place: 1.0})["config"], 1)


@pytest.mark.parametrize("number", [float("inf"), float("nan"), 10**400, "x"])
def test_numbers_that_are_none_are_refused(number: Any) -> None:
    own = node("Sum", "x", axis={"i": number})["config"]
    if number == 10**400:
        assert node_operands(own, 1)["kwargs"] == {"axis": number}
        return
    with pytest.raises(ValueError, match="invalid literal"):
        node_operands(own, 1)


def test_a_node_that_is_no_json_object_is_no_operation() -> None:
    config = node("AddV2", "x")
    config["config"]["node_def"] = "\n\x03add"
    assert not is_operation(config, WRITER)


def test_an_operation_that_is_not_known_is_named() -> None:
    config = node("FFT", "x")
    spec = LayerSpec(
        name="tf_op_layer_FFT",
        kind=operation_kind(config),
        config=operation_operands(config),
        writer=WRITER,
    )
    unknown = build(spec)
    assert isinstance(unknown, Unknown)
    assert unknown.reason == "tf_op_layer_FFT: tf.raw_ops.FFT: unsupported operation"


@pytest.mark.parametrize(
    ("folder", "product"),
    [("tf-keras-1.15", "tf_op_layer_mixing/MatMul_1"), ("tf-keras-2.0", "tf_op_layer_MatMul_1")],
)
def test_recurrent_layers_behind_nodes_are_wired(folder: str, product: str) -> None:
    """The layers' own configurations call them ``mixing/MatMul_1`` and ``MatMul_1``."""
    read = checkpoints.read(NETWORKS / folder / "graph_attention.h5")
    graph = wiring.wire(read, Options())
    assert graph.wiring == "exact"
    (behind,) = [call for call in graph.calls if call.layer == "behind"]
    assert behind.inputs == (Ref(layer=product),)
    assert graph.layers[product].kind.startswith("tf.raw_ops.BatchMatMul")
