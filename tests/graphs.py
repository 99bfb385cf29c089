"""Small graphs made by hand, for tests that need no file."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from rnndiag.records import Array, Call, Graph, LayerSpec, Ref, Wiring, Writer

KERAS = Writer(framework="keras", version="3.15.1")


def layer(name: str, kind: str, *arrays: Array, **more: Any) -> LayerSpec:
    """A layer with its arrays; ``config`` and other fields of `LayerSpec` by name."""
    more.setdefault("config", {})
    return LayerSpec(name=name, kind=kind, writer=KERAS, weights=arrays, **more)


def source(name: str, shape: Sequence[int | None] | None) -> LayerSpec:
    """An input; `shape` counts the batch."""
    return layer(name, "InputLayer", config={"batch_shape": shape})


def lstm(name: str, inputs: int, units: int = 4, **more: Any) -> LayerSpec:
    """An LSTM of zeros in Keras's packing."""
    shapes = (inputs, 4 * units), (units, 4 * units), (4 * units,)
    return layer(name, "LSTM", *map(np.zeros, shapes), **more)


def embedding(name: str, rows: int, columns: int = 3, *, mask_zero: bool = False) -> LayerSpec:
    """A table of zeros."""
    return layer(name, "Embedding", np.zeros((rows, columns)), config={"mask_zero": mask_zero})


def chain(*layers: LayerSpec, wiring: Wiring = "exact") -> Graph:
    """Layers one after the other; the first is the input."""
    calls = tuple(
        Call(layer=after.name, inputs=(Ref(layer=before.name),))
        for before, after in pairwise(layers)
    )
    return Graph(
        layers={spec.name: spec for spec in layers},
        calls=calls,
        inputs=(Ref(layer=layers[0].name),),
        outputs=(Ref(layer=layers[-1].name),),
        wiring=wiring,
    )


def side_by_side(*chains: Graph) -> Graph:
    """Graphs as one with several inputs and outputs."""
    return Graph(
        layers={name: spec for graph in chains for name, spec in graph.layers.items()},
        calls=tuple(call for graph in chains for call in graph.calls),
        inputs=tuple(ref for graph in chains for ref in graph.inputs),
        outputs=tuple(ref for graph in chains for ref in graph.outputs),
    )


def called(*args: Any, **kwargs: Any) -> dict[str, Any]:
    """The configuration of an operation that is called with these."""
    return {"args": list(args), "kwargs": kwargs, "differs": False}
