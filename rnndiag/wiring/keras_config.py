"""A Keras configuration as a graph: Sequential, functional, nested and shared models.

The configuration's dialects (inbound nodes, input shapes, wrappers) are those of Keras 2.0
to 3.x and tf.keras. Weights are given out by position; their names vary too much.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rnndiag.errors import UnsupportedCheckpoint
from rnndiag.records import (
    Array,
    Call,
    Checkpoint,
    Graph,
    KerasModel,
    LayerSpec,
    NamedArray,
    Ref,
    Writer,
)
from rnndiag.wiring._keras_nodes import Node, nodes_of, output_refs
from rnndiag.wiring._keras_weights import split

Config = Mapping[str, Any]
_MODELS = ("Sequential", "Functional", "Model")
_CELLS = {"LSTMCell": "LSTM", "GRUCell": "GRU", "SimpleRNNCell": "SimpleRNN"}


def graph(checkpoint: Checkpoint, model: KerasModel) -> Graph:
    """The graph of a whole model; every layer with its arrays."""
    if not _layer_configs(model.config):
        kind = model.config.get("class_name", "?")
        raise UnsupportedCheckpoint(
            f"{checkpoint.path}: the configuration of {kind} lists no layers "
            "(a subclassed model: its wiring is Python code)",
            "save it as a Sequential or functional model",
        )
    return _Builder(checkpoint.writer).model_graph(model.config, dict(model.weights))


def _layer_configs(config: Config) -> list[Config]:
    """The layers' configurations; Sequential's were a bare list up to Keras 2.2.2."""
    inner = config.get("config")
    layers = inner.get("layers", []) if isinstance(inner, Mapping) else inner
    return [layer for layer in layers or [] if isinstance(layer, Mapping)]


def _name(layer: Config) -> str:
    return str(layer["config"].get("name") or layer.get("name"))


class _Builder:
    """Turns configurations into specs; holds what all of them need."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer

    def model_graph(self, config: Config, weights: dict[str, tuple[NamedArray, ...]]) -> Graph:
        """A model's graph, from the arrays of each of its layers."""
        configs = _layer_configs(config)
        layers = {_name(c): self.spec(c, weights.get(_name(c), ())) for c in configs}
        if isinstance(config["config"], Mapping) and "output_layers" in config["config"]:
            return self._functional(config["config"], configs, layers)
        return self._sequential(configs, layers)

    def spec(self, config: Config, arrays: Sequence[NamedArray]) -> LayerSpec:
        """One layer; wrappers and nested models with what is inside them."""
        kind, own = str(config["class_name"]).rsplit(">", 1)[-1], config["config"]
        if kind in _MODELS or _layer_configs(config):
            return self._nested(config, arrays)
        if kind == "Bidirectional":
            return self._bidirectional(config, arrays)
        if kind == "RNN":
            return self._rnn(config, arrays)
        if kind == "InputLayer":
            own = {**own, "batch_shape": own.get("batch_shape") or own.get("batch_input_shape")}
        inner = (self.spec(own["layer"], arrays),) if _is_wrapper(own) else ()
        return self._plain(config, kind, own, [a.array for a in arrays], inner=inner)

    def _plain(
        self,
        config: Config,
        kind: str,
        own: Config,
        arrays: Sequence[Array],
        *,
        inner: tuple[LayerSpec, ...] = (),
    ) -> LayerSpec:
        return LayerSpec(
            name=_name(config),
            kind=kind,
            config=own,
            writer=self.writer,
            weights=tuple(arrays),
            inner=inner,
        )

    def _nested(self, config: Config, arrays: Sequence[NamedArray]) -> LayerSpec:
        layers = [(_name(c), c) for c in _layer_configs(config)]
        weights = split(layers, arrays)
        return LayerSpec(
            name=_name(config) if isinstance(config["config"], Mapping) else str(config["name"]),
            kind="Model",
            config={},
            writer=self.writer,
            graph=self.model_graph(config, weights),
        )

    def _bidirectional(self, config: Config, arrays: Sequence[NamedArray]) -> LayerSpec:
        """Both directions: all forward arrays stand before all backward ones."""
        own, name = config["config"], _name(config)
        forward = own["layer"]
        mirrored = {**forward["config"], "go_backwards": not forward["config"].get("go_backwards")}
        backward = own.get("backward_layer") or {**forward, "config": mirrored}
        half = len(arrays) // 2
        # Both wrapped layers zero masked steps of a sequence since tf.keras 1.15.
        zeroes = self.writer.numbers >= (2, 4) or "tf" in (self.writer.version or "")
        inner = []
        for layer, own_arrays in ((forward, arrays[:half]), (backward, arrays[half:])):
            spec = self.spec(layer, own_arrays)
            zero = zeroes and bool(spec.config.get("return_sequences"))
            extra = {"zero_output_for_mask": zero}
            inner.append(replace(spec, config={**spec.config, **extra}, label=name))
        return self._plain(config, "Bidirectional", own, (), inner=tuple(inner))

    def _rnn(self, config: Config, arrays: Sequence[NamedArray]) -> LayerSpec:
        """``RNN(cell)`` is the cell's layer; a stack of cells is a chain of layers."""
        own, name = config["config"], _name(config)
        cell = own["cell"]
        cells = [cell]
        if cell["class_name"] == "StackedRNNCells":
            cells = cell["config"]["cells"]
        # Cells of one name are told apart by their place.
        weights = split([(str(k), c) for k, c in enumerate(cells)], arrays)
        specs = []
        for k, c in enumerate(cells):
            kind = _CELLS.get(c["class_name"], c["class_name"])
            last = k == len(cells) - 1
            merged = {**own, **c["config"], "name": name}
            merged["return_sequences"] = own.get("return_sequences") if last else True
            spec = self.spec({"class_name": kind, "config": merged}, weights[str(k)])
            specs.append(replace(spec, label=name, index=k, name=f"{name}_{k}" if k else name))
        if len(specs) == 1:
            return replace(specs[0], label=None)
        return self._plain(config, "RNN", own, (), inner=tuple(specs))

    def _sequential(self, configs: list[Config], layers: dict[str, LayerSpec]) -> Graph:
        """A chain; an input is made up where the first layer only carries its shape."""
        names = list(layers)
        if layers[names[0]].kind != "InputLayer":
            source = self._input_of(configs[0])
            layers = {source.name: source, **layers}
            names = list(layers)
        calls = tuple(
            Call(layer=name, inputs=(Ref(layer=before),))
            for before, name in zip(names, names[1:], strict=False)
        )
        return Graph(
            layers=layers,
            calls=calls,
            inputs=(Ref(layer=names[0]),),
            outputs=(Ref(layer=names[-1]),),
        )

    def _input_of(self, first: Config) -> LayerSpec:
        """The input that a Sequential's first layer implies; nested models know their own."""
        own = first["config"]
        while isinstance(own, list) or "layers" in own:
            first = (own if isinstance(own, list) else own["layers"])[0]
            own = first["config"]
        shape = own.get("batch_input_shape") or own.get("batch_shape")
        if shape is None and isinstance(own.get("layer"), Mapping):
            shape = own["layer"]["config"].get("batch_input_shape")
        shape = shape or first.get("build_config", {}).get("input_shape")
        config = {"batch_shape": shape, "name": "input", "dtype": own.get("input_dtype")}
        return LayerSpec(name="input", kind="InputLayer", config=config, writer=self.writer)

    def _functional(
        self, own: Config, configs: list[Config], layers: dict[str, LayerSpec]
    ) -> Graph:
        nodes = [node for config in configs for node in nodes_of(_name(config), config)]
        shift = _index_shift(nodes, own)
        calls = tuple(
            Call(
                layer=node.layer,
                index=node.index,
                inputs=tuple(_shifted(ref, shift) for ref in node.inputs),
                initial_state=tuple(_shifted(ref, shift) for ref in node.initial_state),
            )
            for node in nodes
            if node.inputs
        )
        return Graph(
            layers=layers,
            calls=_ordered(calls, [name for name, s in layers.items() if s.kind == "InputLayer"]),
            inputs=output_refs(own["input_layers"]),
            outputs=tuple(_shifted(ref, shift) for ref in output_refs(own["output_layers"])),
        )


def _is_wrapper(own: Config) -> bool:
    return isinstance(own.get("layer"), Mapping) and "class_name" in own["layer"]


def _index_shift(nodes: Sequence[Node], own: Config) -> dict[str, int]:
    """By how much each layer's calls are referred to too high.

    Keras before 3 counts the calls of a nested model that owns an input from 1: the rule
    that worked on all files is that the largest index referred to is too large.
    """
    made: dict[str, int] = {}
    for node in nodes:
        made[node.layer] = max(made.get(node.layer, 0), node.index + 1)
    used: dict[str, int] = {}
    refs = [ref for node in nodes for ref in (*node.inputs, *node.initial_state)]
    for ref in (*refs, *output_refs(own["output_layers"])):
        used[ref.layer] = max(used.get(ref.layer, 0), ref.call)
    return {name: 1 for name, count in made.items() if used.get(name, 0) >= count}


def _shifted(ref: Ref, shift: Mapping[str, int]) -> Ref:
    return Ref(layer=ref.layer, call=ref.call - shift.get(ref.layer, 0), tensor=ref.tensor)


def _ordered(calls: Sequence[Call], inputs: Sequence[str]) -> tuple[Call, ...]:
    """The calls in an order in which each finds its inputs; files do not promise one."""
    ready = {(name, 0) for name in inputs}
    waiting, ordered = list(calls), []
    while waiting:
        runnable = [
            call
            for call in waiting
            if all((r.layer, r.call) in ready for r in (*call.inputs, *call.initial_state))
        ]
        if not runnable:
            names = ", ".join(sorted({call.layer for call in waiting}))
            raise UnsupportedCheckpoint(f"the configuration's graph is broken at {names}")
        ordered += runnable
        ready |= {(call.layer, call.index) for call in runnable}
        waiting = [call for call in waiting if call not in runnable]
    return tuple(ordered)
