"""A Keras configuration as a graph: Sequential, functional, nested and shared models.

The configuration's dialects (inbound nodes, input shapes, wrappers) are those of Keras 2.0
to 3.x and tf.keras. Weights are given out by position; their names vary too much.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from rnndiag import dialects
from rnndiag.errors import UnreadableCheckpoint, UnsupportedCheckpoint
from rnndiag.records import (
    Call,
    Checkpoint,
    Graph,
    KerasModel,
    LayerSpec,
    NamedArray,
    Ref,
    Writer,
)
from rnndiag.wiring._keras_arguments import arguments_of, inside
from rnndiag.wiring._keras_classes import (
    MODELS,
    foreign,
    is_custom,
    is_functional,
    is_operation,
)
from rnndiag.wiring._keras_custom import cell_as_parent, layer_as_parent, note
from rnndiag.wiring._keras_layers import implied_shape, layer_configs, named, sizes
from rnndiag.wiring._keras_nodes import calls_of, refs
from rnndiag.wiring._keras_operands import (
    operands_of,
    operation_calls,
    operation_kind,
    operation_operands,
    reads_arguments,
)
from rnndiag.wiring._keras_order import from_zero, ordered
from rnndiag.wiring._keras_weights import as_weights, by_cell, cells_in, hidden, split, variables

Config = Mapping[str, Any]
Arrays = Sequence[NamedArray]
Stored = Mapping[str, Arrays]


def graph(checkpoint: Checkpoint, model: KerasModel) -> Graph:
    """The graph of a whole model; every layer with its arrays.

    Raises `UnsupportedCheckpoint` where the configuration has no layers, and
    `UnreadableCheckpoint` where it makes no sense or a layer's arrays are missing.
    """
    kind = model.config.get("class_name", "?")
    try:
        if not layer_configs(model.config) and not model.isolated:
            raise UnsupportedCheckpoint(
                f"{checkpoint.path}: the configuration of {kind} lists no layers "
                "(a subclassed model: its wiring is Python code)",
                "save it as a Sequential or functional model",
            )
        builder = _Builder(checkpoint.writer, model.problems)
        built = builder.whole(model)
    except _MissingArrays as error:
        raise UnreadableCheckpoint(
            f"{checkpoint.path}: damaged or incomplete: {error}",
            "was the save interrupted? copy or save it again",
        ) from error
    except (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise UnreadableCheckpoint(
            f"{checkpoint.path}: the model's configuration is not as Keras writes it "
            f"({type(error).__name__}: {error})",
            "was it edited by hand? save the model again",
        ) from error
    built = replace(built, notes=(*built.notes, *builder.notes))
    if model.isolated:
        return replace(built, wiring="isolated")
    if kind in MODELS:
        return built
    note = f"{kind} is a custom class: its layers are taken as its configuration wires them"
    return replace(built, notes=(*built.notes, note))


class _MissingArrays(ValueError):
    """A layer that has weights in Keras has none in the file."""


class _Builder:
    """Turns configurations into specs; holds what all of them need."""

    def __init__(self, writer: Writer, problems: Mapping[str, str]) -> None:
        self.writer = writer
        self.problems = problems
        self.notes: list[str] = []
        hard = dialects.cells_default_to_hard_sigmoid(writer)
        self.cell_defaults = {"recurrent_activation": "hard_sigmoid"} if hard else {}

    def whole(self, model: KerasModel) -> Graph:
        """The graph of what a file holds; every layer must have its arrays."""
        layers = named(layer_configs(model.config), list(model.weights))
        for name, config in layers:
            if name in model.problems:
                continue
            if variables(config) and not model.weights.get(name):
                raise _MissingArrays(f"layer {name!r} ({config['class_name']}) has no arrays")
        return self.model_graph(model.config, layers, model.weights, "")

    def model_graph(
        self, config: Config, layers: Sequence[tuple[str, Config]], stored: Stored, path: str
    ) -> Graph:
        """A model's graph; `path` stands before the names of its layers."""
        specs = {name: self.spec(c, stored.get(name, ()), path + name) for name, c in layers}
        if is_functional(config):
            return self._functional(config["config"], layers, specs)
        return self._sequential(config, specs)

    def spec(self, config: Config, arrays: Arrays, name: str) -> LayerSpec:
        """One layer; wrappers and nested models with what is inside them."""
        kind, own = str(config["class_name"]), config["config"]
        if kind in MODELS or is_functional(config):
            return self._nested(config, arrays, name)
        plain = LayerSpec(
            name=name,
            kind=kind,
            config=own,
            writer=self.writer,
            arguments=arguments_of(config),
            **as_weights(arrays),
            problem=self.problems.get(name) or foreign(config),
        )
        if is_operation(config, self.writer):
            operands = operation_operands(config)
            return replace(plain, kind=operation_kind(config), config=operands, problem=None)
        if reads_arguments(config):
            return replace(plain, config={**own, "call": operands_of(config)})
        if plain.problem is None and kind == "Bidirectional":
            return self._bidirectional(plain, config, arrays)
        if plain.problem is None and kind == "RNN":
            return self._rnn(plain, config, arrays)
        if kind == "InputLayer":
            shape = sizes(own.get("batch_shape") or own.get("batch_input_shape"))
            told = {**plain.arguments, "batch_shape": shape}
            return replace(plain, config={**own, "batch_shape": shape}, arguments=told)
        if kind == "TimeDistributed":
            return replace(plain, inner=(inside(self.spec(own["layer"], arrays, name), config),))
        if is_custom(config) and name not in self.problems:
            return self._noted(layer_as_parent(plain))
        return plain

    def _noted(self, spec: LayerSpec) -> LayerSpec:
        """The same; a custom class that is taken for one of Keras's own is told of."""
        if spec.custom is not None:
            self.notes.append(note(spec))
        return spec

    def _nested(self, config: Config, arrays: Arrays, name: str) -> LayerSpec:
        layers = named(layer_configs(config))
        weights = split(layers, arrays)
        graph = self.model_graph(config, layers, weights or {}, f"{name}/")
        if weights is None:
            reason = f"the {len(arrays)} arrays of {name} cannot be told apart by layer"
            graph = replace(graph, layers={k: hidden(s, reason) for k, s in graph.layers.items()})
        return LayerSpec(name=name, kind="Model", config={}, writer=self.writer, graph=graph)

    def _bidirectional(self, plain: LayerSpec, config: Config, arrays: Arrays) -> LayerSpec:
        """Both directions: all forward arrays stand before all backward ones."""
        own, forward = config["config"], config["config"]["layer"]
        turned = {**forward["config"], "go_backwards": not forward["config"].get("go_backwards")}
        backward = own.get("backward_layer") or {**forward, "config": turned}
        flags = variables(forward)
        count = len(arrays) // 2 if flags is None else len(flags)
        zeroing = dialects.bidirectional_zeroes_masked_steps(self.writer)
        inner = []
        for layer, share in ((forward, arrays[:count]), (backward, arrays[count:])):
            spec = inside(self.spec(layer, share, plain.name), config)
            zeroes = zeroing and bool(spec.config.get("return_sequences"))
            inner.append(replace(spec, config={**spec.config, "zero_output_for_mask": zeroes}))
        return replace(plain, weights=(), parameters=(), inner=tuple(inner))

    def _rnn(self, plain: LayerSpec, config: Config, arrays: Arrays) -> LayerSpec:
        """``RNN(cell)``, or a stack of cells; the state's order is the writer's."""
        own, held = config["config"], config["config"]["cell"]
        cells = list(cells_in(held))
        shares = by_cell(cells, arrays)
        inner = [
            LayerSpec(
                name=f"{plain.name}_l{index}" if len(cells) > 1 else plain.name,
                label=plain.name,
                kind=str(cell["class_name"]),
                config={**self.cell_defaults, **own, **cell["config"]},
                writer=self.writer,
                arguments=arguments_of(cell),
                **as_weights(share),
                index=index,
                problem=foreign(cell),
            )
            for index, (cell, share) in enumerate(zip(cells, shares, strict=True))
        ]
        inner = [
            self._noted(cell_as_parent(spec, cell["config"])) if is_custom(cell) else spec
            for spec, cell in zip(inner, cells, strict=True)
        ]
        if held["class_name"] == "StackedRNNCells":
            inner = [inside(spec, held) for spec in inner]
        inner = [inside(spec, config) for spec in inner]
        return replace(plain, weights=(), parameters=(), inner=tuple(inner))

    def _sequential(self, config: Config, specs: dict[str, LayerSpec]) -> Graph:
        """A chain; an input is made up where the first layer only carries its shape."""
        if not specs:
            raise ValueError("a Sequential without layers")
        first = next(iter(specs))
        if specs[first].kind != "InputLayer":
            source = self._input_of(config, f"{first}_input")
            specs = {source.name: source, **specs}
        names = list(specs)
        calls = tuple(
            Call(layer=name, inputs=(Ref(layer=before),)) for before, name in pairwise(names)
        )
        outputs = (Ref(layer=names[-1]),)
        return Graph(layers=specs, calls=calls, inputs=(Ref(layer=names[0]),), outputs=outputs)

    def _input_of(self, model: Config, name: str) -> LayerSpec:
        """The input that a Sequential's first layer implies; nested models know their own."""
        config = {"batch_shape": sizes(implied_shape(model)), "name": name}
        return LayerSpec(
            name=name, kind="InputLayer", config=config, writer=self.writer, arguments=config
        )

    def _calls(self, name: str, config: Config) -> Iterable[Call]:
        whole = is_operation(config, self.writer) or reads_arguments(config)
        return operation_calls(name, config) if whole else calls_of(name, config)

    def _functional(
        self, own: Config, layers: Sequence[tuple[str, Config]], specs: dict[str, LayerSpec]
    ) -> Graph:
        inputs = [name for name, spec in specs.items() if spec.kind == "InputLayer"]
        called = [(name, config) for name, config in layers if name not in inputs]
        calls = [call for name, config in called for call in self._calls(name, config)]
        models = [name for name, config in layers if is_functional(config)]
        keras3 = dialects.is_keras3(self.writer)
        calls, outputs = from_zero(calls, refs(own["output_layers"]), models, keras3=keras3)
        sources = refs(own["input_layers"])
        if (calls and not sources) or any(ref.layer not in inputs for ref in sources):
            raise ValueError("input_layers names no input of the model")
        return Graph(layers=specs, calls=ordered(calls, inputs), inputs=sources, outputs=outputs)
