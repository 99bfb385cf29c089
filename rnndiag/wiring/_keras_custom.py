"""Custom classes that are Keras's own recurrent layers under another name.

Their code is not in the file and never run. What the file does tell, settings and arrays, is
compared with what Keras's own layer of that kind has; only an exact fit counts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rnndiag.records import LayerSpec, Shape
from rnndiag.wiring._altered import is_plain_rnn, says_otherwise

Config = Mapping[str, Any]

_CELL = {"units", "activation", "use_bias"}
_LAYER = {"return_sequences", "go_backwards"}
_OWN = {
    "LSTM": {"recurrent_activation", "unit_forget_bias"},
    "GRU": {"recurrent_activation"},
    "SimpleRNN": set[str](),
}
"""What the settings of each kind hold beside those of all, in every version of Keras."""
_GATES = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}
_AROUND = re.compile(
    r"name|trainable|dtype|dynamic|batch_shape|(batch_)?input_shape|input_dim|input_length"
    r"|return_state|stateful|unroll|time_major|zero_output_for_mask|implementation|use_cudnn|seed"
    r"|(recurrent_)?dropout|(kernel|recurrent|bias)_(initializer|regularizer|constraint)"
    r"|activity_regularizer"
)
"""Settings that leave a cell's equations as they are."""


def layer_as_parent(spec: LayerSpec) -> LayerSpec:
    """A custom layer as the kind that it fits; any other as it is.

    It fits where its settings are the kind's, with none that Keras does not have, where its
    arrays have the shapes that these settings ask for, and where its name says nothing else.
    """
    kind = parent_of(spec.kind, spec.config)
    return spec if kind is None or not set(spec.config) >= _LAYER else _as(kind, kind, spec)


def cell_as_parent(spec: LayerSpec, config: Config) -> LayerSpec:
    """The same for a cell by itself; `config` are its own settings, without those of its RNN."""
    kind = parent_of(spec.kind, config)
    return spec if kind is None else _as(kind, f"{kind}Cell", spec)


def parent_of(custom: str, config: Any) -> str | None:
    """The recurrent kind whose settings `config` has, by the settings and the class's name."""
    keys = set(config) if isinstance(config, Mapping) else set()
    if not keys >= _CELL or says_otherwise(custom):
        return None
    left = {key for key in keys - _CELL - _LAYER if not _AROUND.fullmatch(key)}
    # Keras wrote no reset_after before 2.1.5.
    found = next((k for k, own in _OWN.items() if left - {"reset_after"} == own), None)
    if found is None or ("reset_after" in left and found != "GRU"):
        return None
    if found == "SimpleRNN" and not is_plain_rnn(custom):
        # A matrix, a recurrent one and a bias are what most cells of one's own have.
        return None
    others = (kind for kind in ("LSTM", "GRU") if kind != found)
    return None if any(other in custom.upper() for other in others) else found


def note(spec: LayerSpec) -> str:
    """What has to be said of a layer that is taken for another."""
    return (
        f"{spec.name}: {spec.custom} is a custom class; analysed as {spec.kind}, because its "
        f"{len(spec.weights)} arrays and its settings fit; what follows it may be fed otherwise"
    )


def _as(parent: str, kind: str, spec: LayerSpec) -> LayerSpec:
    shapes = [array.shape for array in spec.weights]
    fits = bool(shapes) and shapes == _shapes(parent, spec)
    return replace(spec, kind=kind, custom=spec.kind, problem=None) if fits else spec


def _shapes(kind: str, spec: LayerSpec) -> list[Shape]:
    """Those that the settings ask for; the input's size is the file's to tell."""
    units, features = spec.config["units"], len(spec.weights[0]) if spec.weights else 0
    if not isinstance(units, int) or not features:
        return []
    columns = _GATES[kind] * units
    bias: Shape = (2, columns) if spec.config.get("reset_after") else (columns,)
    return [(features, columns), (units, columns), *([bias] if spec.config["use_bias"] else [])]
