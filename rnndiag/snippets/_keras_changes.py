"""Changes to a Keras layer that depend on what the layer is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rnndiag.records import LayerReport
from rnndiag.snippets._code import Brackets, call, literal, number, write
from rnndiag.snippets._keras_layers import (
    Changes,
    arguments_of,
    constructor,
    convolves,
    family_of,
    kind_of,
    name_of,
    running,
    width,
)
from rnndiag.snippets._keras_objects import l1_of, l2_of, penalty

_PENALTIES = ("kernel_regularizer", "recurrent_regularizer", "bias_regularizer")


def penalties(layer: LayerReport, factors: Sequence[float]) -> Changes:
    """L2 with these factors on K, R and b; an L1 that the layer has stays."""
    own = arguments_of(layer)
    found = {
        key: penalty(l1_of(own.get(key)), factor)
        for key, factor in zip(_PENALTIES, factors, strict=True)
    }
    if not own.get("use_bias", True):
        found["bias_regularizer"] = None
    return found


def with_arguments(layer: LayerReport, given: Mapping[str, float | str]) -> dict[str, Any]:
    """The layer's configuration with settings of a plan in it; an L1 that it has stays."""
    own = dict(layer.arguments)
    for key in _PENALTIES:
        factor = given.get(f"{key.partition('_')[0]}_decay")
        if factor is not None:
            factors = {"l1": l1_of(own.get(key)), "l2": factor}
            own[key] = {"class_name": "L1L2", "config": factors}
    if not own.get("use_bias", True):
        own.pop("bias_regularizer", None)
    own |= {key: given[key] for key in ("units", "dropout", "recurrent_dropout") if key in given}
    if "max_norm" in given:
        config = {"max_value": given["max_norm"], "axis": _axes(layer)}
        bound = {"class_name": "MaxNorm", "config": config}
        own |= {"kernel_constraint": bound, "recurrent_constraint": bound}
    return own


def has_penalties(layer: LayerReport) -> bool:
    """Whether a squared penalty in its configuration pulls its weights towards zero."""
    return any(l2_of(layer.arguments.get(key)) for key in _PENALTIES)


def bounds(layer: LayerReport, maximum: float) -> Changes:
    """The norms of K's and R's columns at most `maximum`."""
    axes = _axes(layer)
    axis = {"axis": literal(axes)} if axes else {}
    bound = call("keras.constraints.MaxNorm", number(maximum), **axis)
    return {"kernel_constraint": bound, "recurrent_constraint": bound}


def _axes(layer: LayerReport) -> list[int] | int:
    """Over which a column's norm is taken; 0, the usual one, but for convolutions."""
    # A convolution's kernel has an axis for each of space, and one for the channels it reads.
    return list(range(len(arguments_of(layer)["kernel_size"]) + 1)) if convolves(layer) else 0


def bias_bound(layer: LayerReport, maximum: float) -> Changes:
    """The biases' norm at most `maximum`."""
    own, most = arguments_of(layer), number(maximum)
    if not own.get("use_bias", True):
        return {}
    two_rows = kind_of(layer) == "GRU" and own.get("reset_after", True)
    # Of two rows of biases, the constraint would bound each column by itself.
    axis = {"axis": literal([0, 1])} if two_rows else {}
    return {"bias_constraint": call("keras.constraints.MaxNorm", most, **axis)}


def bias_start(layer: LayerReport, initializer: str) -> Changes:
    """Biases that start as an initializer of ours says."""
    # The layer would ask it for the other gates' biases alone, and take ones for the forget gate.
    lstm = {"unit_forget_bias": "False"} if family_of(layer) == "LSTM" else {}
    return {"use_bias": None, "bias_initializer": initializer, **lstm}


def twice(layer: LayerReport) -> tuple[Brackets, Brackets]:
    """The layer, handing its whole sequence to a second one that gives what it gave."""
    top = literal(f"{name_of(layer)}_top")
    return constructor(layer, {"return_sequences": "True"}), constructor(layer, {"name": top})


def striding(layer: LayerReport, stride: int) -> Brackets | None:
    """A convolution that keeps every `stride`-th step; its windows leave no step out.

    Of images it takes each pixel by itself; None where Keras has no layer of so many axes.
    """
    own = arguments_of(layer)
    rank = len(own["kernel_size"]) if convolves(layer) else 0
    if rank > 2 or own.get("data_format") == "channels_first":
        return None
    window, step = ([size, *[1] * rank] if rank else size for size in (stride | 1, stride))
    return call(
        f"keras.layers.Conv{rank + 1}D",
        str(layer.input_size),
        kernel_size=literal(window),
        strides=literal(step),
        padding='"same"',
    )


def residual(layer: LayerReport) -> Iterator[str]:
    """Output plus input, which a dense layer brings to the same width where that differs."""
    yield write(constructor(layer), "y = ", "(x)")
    wanted, run = width(layer), running(layer)
    source = "x"
    backwards = run.get("go_backwards") and layer.arguments.get("wrapper") != "Bidirectional"
    if not run.get("return_sequences"):
        source = "x[:, 0]" if backwards else "x[:, -1]"
    elif backwards:
        source = "keras.ops.flip(x, axis=1)"
    if layer.input_size != wanted:
        yield f"skip = keras.layers.Dense({wanted}, use_bias=False)({source})"
        source = "skip"
    yield f"x = keras.layers.Add()([{source}, y])"
