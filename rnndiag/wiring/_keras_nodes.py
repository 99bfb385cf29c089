"""Inbound nodes: which tensors each call of a functional layer takes, in every dialect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rnndiag.records import Ref

Config = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Node:
    """One call of a layer as the file tells of it."""

    layer: str
    index: int
    inputs: tuple[Ref, ...]
    initial_state: tuple[Ref, ...]


def nodes_of(name: str, config: Config) -> list[Node]:
    """A layer's calls in the order of its ``inbound_nodes``."""
    read = {dict: _keras3_node, list: _keras2_node}
    nodes = []
    for index, node in enumerate(config.get("inbound_nodes") or []):
        inputs, initial_state = read[type(node)](node)
        nodes.append(Node(layer=name, index=index, inputs=inputs, initial_state=initial_state))
    return nodes


def output_refs(entry: Any) -> tuple[Ref, ...]:
    """``input_layers`` or ``output_layers``: one flat reference, a list, or a dictionary."""
    if isinstance(entry, Mapping):
        entry = list(entry.values())
    if entry and isinstance(entry[0], str):
        return (_ref(entry),)
    return tuple(_ref(item) for item in entry)


def _ref(item: Sequence[Any]) -> Ref:
    return Ref(layer=str(item[0]), call=int(item[1]), tensor=int(item[2]))


def _is_ref(item: Any) -> bool:
    return (
        isinstance(item, list)
        and len(item) in (3, 4)
        and isinstance(item[0], str)
        and isinstance(item[1], int)
        and isinstance(item[2], int)
    )


def _keras2_node(node: list[Any]) -> tuple[tuple[Ref, ...], tuple[Ref, ...]]:
    """``[[layer, call, tensor, kwargs], …]``; a recurrent layer's states follow its input."""
    flat = [node] if _is_ref(node) else node
    inputs = [_ref(item) for item in flat if _is_ref(item)]
    kwargs = [item[3] for item in flat if _is_ref(item) and len(item) == 4]
    states = [ref for kw in kwargs for ref in _refs_in(kw.get("initial_state"))]
    others = [
        ref
        for kw in kwargs
        for key, value in kw.items()
        if key not in ("initial_state", "mask")
        for ref in _refs_in(value)
    ]
    return (*inputs, *others), tuple(states)


def _refs_in(value: Any) -> Iterator[Ref]:
    """Every reference inside nested lists, in order."""
    if _is_ref(value):
        yield _ref(value)
    elif isinstance(value, list):
        for item in value:
            yield from _refs_in(item)


def _keras3_node(node: Config) -> tuple[tuple[Ref, ...], tuple[Ref, ...]]:
    """``{"args": […], "kwargs": {…}}`` with ``__keras_tensor__`` objects anywhere inside."""
    kwargs = dict(node.get("kwargs") or {})
    states = tuple(_tensors_in(kwargs.pop("initial_state", None)))
    kwargs.pop("mask", None)
    inputs = (*_tensors_in(node.get("args")), *_tensors_in(list(kwargs.values())))
    return inputs, states


def _tensors_in(value: Any) -> Iterator[Ref]:
    if isinstance(value, Mapping) and value.get("class_name") == "__keras_tensor__":
        yield _ref(value["config"]["keras_history"])
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _tensors_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from _tensors_in(item)
