"""A Keras layer as the call that makes it, from the configuration that a file stores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rnndiag.records import LayerReport
from rnndiag.snippets._code import Brackets, Expression, call, keyword, literal
from rnndiag.snippets._keras_objects import expression

Changes = Mapping[str, Expression | None]
"""Argument → what to write for it, or None to leave it out."""

_GLOROT, _ORTHOGONAL = "keras.initializers.GlorotUniform()", "keras.initializers.Orthogonal()"
_ONES = ("1", "[1]", "[1, 1]", "[1, 1, 1]")
_CELL: Mapping[str, tuple[str, ...]] = {
    "units": (),
    "kernel_size": (),
    "strides": _ONES,
    "padding": ('"valid"',),
    "data_format": ('"channels_last"', "None"),
    "dilation_rate": _ONES,
    "activation": ('"tanh"',),
    "recurrent_activation": ('"sigmoid"',),
    "use_bias": ("True",),
    "kernel_initializer": (_GLOROT, '"glorot_uniform"', "None"),
    "recurrent_initializer": (_ORTHOGONAL, '"orthogonal"', "None"),
    "bias_initializer": ("keras.initializers.Zeros()", '"zeros"', "None"),
    "unit_forget_bias": ("True",),
    "kernel_regularizer": ("None",),
    "recurrent_regularizer": ("None",),
    "bias_regularizer": ("None",),
    "kernel_constraint": ("None",),
    "recurrent_constraint": ("None",),
    "bias_constraint": ("None",),
    "dropout": ("0.0", "0", "None"),
    "recurrent_dropout": ("0.0", "0", "None"),
    "reset_after": ("True",),
}
"""What a cell takes, in the order to write it, and what need not be written."""
_RUN: Mapping[str, tuple[str, ...]] = {
    "return_sequences": ("False",),
    "return_state": ("False",),
    "go_backwards": ("False",),
    "stateful": ("False",),
    "unroll": ("False",),
    "zero_output_for_mask": ("False",),
    "activity_regularizer": ("None",),
}
"""The same of what runs a cell."""
_WRAPPER: Mapping[str, tuple[str, ...]] = {"merge_mode": ('"concat"',)}


def constructor(
    layer: LayerReport, changes: Changes | None = None, cell: str | None = None
) -> Brackets:
    """The layer with its changes, within its wrappers; a cell of a stack comes alone.

    `cell` is a class to run in the place of the layer's own cell.
    """
    own, changes = arguments_of(layer), changes or {}
    run, inner = _written(own, _RUN, changes), _written(own, _CELL, changes)
    units = inner.pop("units")
    made = cell or f"keras.layers.{own['class_name']}"
    if stands_in_stack(layer):
        return call(made, units, **inner)
    if is_cell(layer):
        return _wrapped(call(made, units, **inner), own, changes)
    if cell:
        running = call("keras.layers.RNN", call(made, units, **inner), **run)
        return _wrapped(running, own, changes)
    return _wrapped(call(made, units, **run, **inner), own, changes)


def kind_of(layer: LayerReport) -> str:
    """``LSTM``, ``GRU`` or ``SimpleRNN``, whether layer, cell or CuDNN's."""
    return str(arguments_of(layer)["class_name"]).removesuffix("Cell")


def family_of(layer: LayerReport) -> str:
    """The same, with a convolutional LSTM among the LSTMs."""
    return "LSTM" if convolves(layer) else kind_of(layer)


def convolves(layer: LayerReport) -> bool:
    """Whether it is one of ``ConvLSTM1D`` to ``ConvLSTM3D``, which read images."""
    return kind_of(layer).startswith("ConvLSTM")


def keeps_size(layer: LayerReport) -> bool:
    """Whether what leaves it is of the size of what comes in, the features apart."""
    own = arguments_of(layer)
    moves = str(expression("strides", own.get("strides", 1))) not in _ONES
    return not convolves(layer) or (own.get("padding") == "same" and not moves)


def name_of(layer: LayerReport) -> str:
    """The name by which the model knows it: its outermost wrapper's."""
    own = layer.arguments
    while "wrapper" in own:
        own = own["wrapper_arguments"]
    return str(own.get("name") or layer.name)


def is_cell(layer: LayerReport) -> bool:
    """Whether it is a cell that ``keras.layers.RNN`` runs."""
    return str(layer.arguments.get("class_name")).endswith("Cell")


def stands_in_stack(layer: LayerReport) -> bool:
    """Whether it is one of several cells that run as one layer."""
    return layer.arguments.get("wrapper") == "StackedRNNCells"


def running(layer: LayerReport) -> Mapping[str, Any]:
    """Where ``return_sequences`` and the like are stored: with what runs the cell."""
    own = layer.arguments
    if not is_cell(layer):
        return own
    while "wrapper" in own and own["wrapper"] != "RNN":
        own = own["wrapper_arguments"]
    return own.get("wrapper_arguments") or {}


def width(layer: LayerReport) -> int:
    """Features that leave the layer, those of both directions together."""
    own, both = layer.arguments, 1
    while "wrapper" in own:
        around = own["wrapper_arguments"]
        if own["wrapper"] == "Bidirectional" and around.get("merge_mode", "concat") == "concat":
            both = 2
        own = around
    return both * (layer.hidden_size or 0)


def arguments_of(layer: LayerReport) -> dict[str, Any]:
    """What the file tells; what every layer has where it tells nothing."""
    own = {"units": layer.hidden_size, "class_name": layer.kind, **layer.arguments}
    kind = str(own["class_name"]).removeprefix("CuDNN")
    if kind == "GRU" == own["class_name"] and "kernel_initializer" in own:
        # Keras before 2.1.3 knew, and stored, no other way.
        own.setdefault("reset_after", False)
    if own.get("wrapper") == "Bidirectional":
        # Keras makes the backward layer from the forward one, and turns it round itself.
        own.pop("go_backwards", None)
    return {**own, "class_name": kind}


def _written(
    stored: Mapping[str, Any], known: Mapping[str, tuple[str, ...]], changes: Changes
) -> dict[str, Expression]:
    """The arguments of `known` that are worth a word: changed, or not the default."""
    told: dict[str, Expression] = {}
    for key, defaults in known.items():
        if key in changes:
            value = changes[key]
            if value is not None:
                told[key] = value
        elif key in stored and str(written := expression(key, stored[key])) not in defaults:
            told[key] = written
    return told


def _wrapped(made: Brackets, own: Mapping[str, Any], changes: Changes) -> Brackets:
    """The layer in its wrappers; the outermost has the name."""
    if "wrapper" not in own:
        name = changes.get("name") or (literal(own["name"]) if own.get("name") else None)
        named = (keyword("name", name),) if name else ()
        return Brackets(made.before, (*made.items, *named), made.after)
    kind, around = own["wrapper"], own["wrapper_arguments"]
    told = _written(around, _RUN, changes) if kind == "RNN" else _written(around, _WRAPPER, {})
    return _wrapped(call(f"keras.layers.{kind}", made, **told), around, changes)
