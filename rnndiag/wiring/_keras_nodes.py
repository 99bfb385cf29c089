"""Inbound nodes: which tensors each call of a functional layer takes, in every dialect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rnndiag.layers.base import layer_class
from rnndiag.records import Call, Ref

Config = Mapping[str, Any]


def calls_of(name: str, config: Config) -> list[Call]:
    """A layer's calls in the order of its ``inbound_nodes``."""
    found = layer_class(str(config.get("class_name")))
    recurrent = found is not None and found.takes_states
    nodes = config.get("inbound_nodes") or []
    return [
        replace(_call(node, recurrent), layer=name, index=index) for index, node in enumerate(nodes)
    ]


def refs(entry: Any) -> tuple[Ref, ...]:
    """``input_layers`` or ``output_layers``: a reference, or lists or dictionaries of them."""
    return tuple(_refs_in(entry))


def _call(node: Any, recurrent: bool) -> Call:
    if isinstance(node, Mapping) and "args" in node:
        return _keras3_call(node, recurrent)
    return _keras2_call(node, recurrent)


def _keras2_call(node: Any, recurrent: bool) -> Call:
    """``[[layer, call, tensor, kwargs], …]``; a recurrent layer's states follow its input."""
    inputs, kwargs = _positional(node)
    states = [ref for own in kwargs for ref in _refs_in(own.pop("initial_state", None))]
    masks = [ref for own in kwargs for ref in _refs_in(own.pop("mask", None))]
    others = [ref for own in kwargs for ref in _refs_in(own)]
    if recurrent:
        # The same states may stand among the arguments too.
        inputs, states = inputs[:1], inputs[1:] or states
    return _made([*inputs, *others], states, masks)


def _positional(node: Any) -> tuple[list[Ref], list[dict[str, Any]]]:
    """A Keras 2 node's references, and the keyword arguments beside each."""
    if is_ref(node):
        kwargs = [dict(node[3])] if len(node) == 4 and isinstance(node[3], Mapping) else []
        # tf.keras stands a constant where its operations take no tensor.
        return ([] if node[0] == "_CONSTANT_VALUE" else [reference(node)]), kwargs
    found: list[Ref] = []
    beside: list[dict[str, Any]] = []
    for item in _items(node):
        inputs, kwargs = _positional(item)
        found += inputs
        beside += kwargs
    return found, beside


def _keras3_call(node: Config, recurrent: bool) -> Call:
    """``{"args": […], "kwargs": {…}}`` with ``__keras_tensor__`` objects anywhere inside."""
    args, kwargs = list(node.get("args") or []), dict(node.get("kwargs") or {})
    masks = list(_tensors_in(kwargs.pop("mask", None)))
    states = list(_tensors_in(kwargs.pop("initial_state", None)))
    if recurrent:
        # call(sequences, initial_state, mask), by place or by name
        states = list(_tensors_in(args[1:2])) or states
        masks = list(_tensors_in(args[2:3])) or masks
        args = args[:1]
    return _made([*_tensors_in(args), *_tensors_in(list(kwargs.values()))], states, masks)


def _made(inputs: Sequence[Ref], states: Sequence[Ref], masks: Sequence[Ref]) -> Call:
    return Call(
        layer="",
        inputs=tuple(inputs),
        initial_state=tuple(states),
        mask=masks[0] if masks else None,
    )


def reference(item: Sequence[Any]) -> Ref:
    """``[layer, call, tensor]`` as a reference."""
    return Ref(layer=str(item[0]), call=int(item[1]), tensor=int(item[2]))


def is_ref(item: Any) -> bool:
    """Whether it is a tensor of Keras 2, or a constant in the place of one."""
    return (
        isinstance(item, list)
        and len(item) in (3, 4)
        and isinstance(item[0], str)
        and isinstance(item[1], int)
        and (isinstance(item[2], int) or item[0] == "_CONSTANT_VALUE")
    )


def _items(value: Any) -> list[Any]:
    """What is inside a list or dictionary; Keras takes dictionaries in the order of keys."""
    if isinstance(value, Mapping):
        return [value[key] for key in sorted(value)]
    return list(value) if isinstance(value, list) else []


def _refs_in(value: Any) -> Iterator[Ref]:
    """Every Keras 2 reference inside, in order."""
    if is_ref(value):
        if value[0] != "_CONSTANT_VALUE":
            yield reference(value)
        return
    for item in _items(value):
        yield from _refs_in(item)


def _tensors_in(value: Any) -> Iterator[Ref]:
    """Every Keras 3 tensor inside, in order."""
    if isinstance(value, Mapping) and value.get("class_name") == "__keras_tensor__":
        yield reference(value["config"]["keras_history"])
        return
    for item in _items(value):
        yield from _tensors_in(item)
