"""The calls of operations, whose constants count as much as their tensors.

tf.keras keeps an operation as a ``TFOpLambda`` (``SlicingOpLambda`` for slices) that names
a function of TensorFlow, or before 2.4 as a ``TensorFlowOpLayer`` with a graph's node in it;
Keras 3 as an object of a class of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rnndiag.layers._ops.arguments import Slot
from rnndiag.layers.base import layer_class
from rnndiag.records import Call, Ref
from rnndiag.wiring._keras_classes import TENSORFLOW_NODE, TENSORFLOW_OPERATIONS
from rnndiag.wiring._keras_node_defs import node_kind, node_operands
from rnndiag.wiring._keras_nodes import is_ref, reference

Config = Mapping[str, Any]

_CONSTANT = "_CONSTANT_VALUE"


def operation_kind(config: Config) -> str:
    """Under what name an operation is known here: ``ops.Mean``, ``tf.math.reduce_mean``."""
    if config["class_name"] not in TENSORFLOW_OPERATIONS:
        return f"ops.{config['class_name']}"
    if config["class_name"] == TENSORFLOW_NODE:
        return node_kind(config["config"])
    function = str(config["config"].get("function"))
    return f"tf.{function.removeprefix('compat.v1.')}"


def operands_of(config: Config) -> dict[str, Any]:
    """What a layer is called with: constants, and a `Slot` for each tensor.

    ``differs`` tells whether it is called more than once, and not with the same constants.
    """
    calls = [(found.args, found.kwargs) for found in _operands(config)]
    args, kwargs = calls[0] if calls else ([], {})
    return {"args": args, "kwargs": kwargs, "differs": any(call != calls[0] for call in calls)}


def operation_operands(config: Config) -> dict[str, Any]:
    """The same for an operation; what one of Keras 3 was made with counts as arguments too."""
    called = operands_of(config)
    if config["class_name"] == TENSORFLOW_NODE:
        count = max((len(found.refs) for found in _operands(config)), default=0)
        return {**called, **node_operands(config["config"], count)}
    if config["class_name"] in TENSORFLOW_OPERATIONS:
        return called
    made = {k: v for k, v in config["config"].items() if k not in ("name", "trainable")}
    return {**called, "kwargs": {**made, **called["kwargs"]}}


def reads_arguments(config: Config) -> bool:
    """Whether a layer wants to know what its call is given beside its inputs."""
    found = layer_class(str(config["class_name"]))
    return found is not None and found.reads_arguments


def operation_calls(name: str, config: Config) -> Iterator[Call]:
    """The calls in the order of ``inbound_nodes``; the inputs are in the order of the slots."""
    for index, found in enumerate(_operands(config)):
        yield Call(layer=name, index=index, inputs=tuple(found.refs))


@dataclass
class _Operands:
    """The arguments of one call, and the tensors that were taken out of them."""

    refs: list[Ref] = field(default_factory=list)
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)

    def without_tensors(self, value: Any) -> Any:
        """The value with slots where tensors were."""
        if isinstance(value, list) and is_ref(value):
            return self._slot(reference(value)) if value[0] != _CONSTANT else value[2]
        if isinstance(value, list):
            return [self.without_tensors(item) for item in value]
        if not isinstance(value, Mapping):
            return value
        if value.get("class_name") == "__keras_tensor__":
            return self._slot(reference(value["config"]["keras_history"]))
        return {key: self.without_tensors(item) for key, item in value.items()}

    def _slot(self, ref: Ref) -> Slot:
        self.refs.append(ref)
        return Slot(len(self.refs) - 1)


def _operands(config: Config) -> Iterator[_Operands]:
    for node in config.get("inbound_nodes") or []:
        found = _Operands()
        if isinstance(node, Mapping):
            found.args = found.without_tensors(list(node.get("args") or []))
            kwargs = node.get("kwargs") or {}
        else:
            first, kwargs = _first_and_others(node)
            found.args = [found.without_tensors(first)]
        found.kwargs = found.without_tensors(dict(kwargs))
        yield found


def _first_and_others(node: Any) -> tuple[Any, Config]:
    """A tf.keras node as the first argument, and the others by their names.

    A list of tensors carries the others beside each; versions before 2.5 put a single
    tensor in a list as well.
    """
    if is_ref(node):
        return node, node[3] if len(node) == 4 else {}
    items = [_first_and_others(item) for item in node] if isinstance(node, list) else []
    if not items:
        return node, {}
    firsts, others = [item for item, _ in items], items[0][1]
    return firsts[0] if len(firsts) == 1 else firsts, others
