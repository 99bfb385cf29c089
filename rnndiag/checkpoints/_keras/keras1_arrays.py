"""Arrays of Keras 1 as Keras 2 packs them: one kernel for all gates, and other names.

``lstm_1_W_i``: a layer, what the array is to it, and the gate. Keras 2.0's own readers of old
files put the gates in the same order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np

from rnndiag.checkpoints._keras.configs import Config
from rnndiag.checkpoints._keras.keras1 import kinds_within
from rnndiag.records import NamedArray, Writer

_NAME = re.compile(
    r"(?P<layer>.+)_(?P<part>W|U|b|gamma|beta|running_mean|running_std|alphas)"
    r"(_(?P<gate>[ifcozrh]))?(?P<tensorflow>:\d+)?"
)
_PARTS = {
    **{"W": "kernel", "U": "recurrent_kernel", "b": "bias", "alphas": "alpha"},
    # It holds the variance, whatever it is called.
    **{"running_mean": "moving_mean", "running_std": "moving_variance"},
}
_GATES = ("ifco", "zrh")
"""The order in which Keras 2 packs them; LSTMs are stored as i, c, f, o."""


def writer_of(groups: Mapping[str, Sequence[NamedArray]]) -> Writer | None:
    """Keras 1 with its backend, where the names of the arrays are its own; else None."""
    found = [_NAME.fullmatch(named.name) for own in groups.values() for named in own]
    if not found or not any(match and match["part"] in "WUb" for match in found):
        return None
    tensorflow = any(match and match["tensorflow"] for match in found)
    backend = "tensorflow" if tensorflow else "theano"
    return Writer(framework="keras", version="1", backend=backend)


def packed_groups(
    groups: Mapping[str, Sequence[NamedArray]], config: Config
) -> dict[str, tuple[NamedArray, ...]]:
    """All layers' arrays; `config` is the model's in the words of Keras 2, or empty."""
    kinds = dict(kinds_within(config))
    return {name: packed(own, kinds) for name, own in groups.items()}


def packed(arrays: Sequence[NamedArray], kinds: Mapping[str, str]) -> tuple[NamedArray, ...]:
    """A layer's arrays, or a nested model's; `kinds` are the classes of layers by name."""
    return tuple(
        array for _, run in groupby(arrays, key=_cell_of) for array in _packed(list(run), kinds)
    )


def _packed(run: Sequence[NamedArray], kinds: Mapping[str, str]) -> Iterator[NamedArray]:
    """One cell's arrays gate by gate, or others one by one."""
    layer = _cell_of(run[0])
    parts = {_part_and_gate(named): named for named in run}
    gates = next((own for own in _GATES if {gate for _, gate in parts} == set(own)), "")
    if layer is None or len(parts) != 3 * len(gates) or len(run) != len(parts):
        yield from (_renamed(named, kinds) for named in run)
        return
    for part in ("W", "U", "b"):
        pieces = [parts[part, gate] for gate in gates]
        joined = np.concatenate([named.array for named in pieces], -1)
        places = tuple(place for named in pieces for place in named.places or (named.name,))
        yield NamedArray(name=f"{layer}/{_PARTS[part]}", array=joined, places=places)


def _cell_of(named: NamedArray) -> str | None:
    """The layer of an array that is a single gate's."""
    match = _NAME.fullmatch(named.name)
    return match["layer"] if match and match["gate"] else None


def _part_and_gate(named: NamedArray) -> tuple[str, str]:
    match = _NAME.fullmatch(named.name)
    return (match["part"], match["gate"] or "") if match else ("", "")


def _renamed(named: NamedArray, kinds: Mapping[str, str]) -> NamedArray:
    match = _NAME.fullmatch(named.name)
    if match is None:
        return named
    layer, part = match["layer"], match["part"]
    array = named.array
    if part == "W" and kinds.get(layer) == "Conv1D" and array.ndim == 4:
        # (K, 1, C_in, C_out); before Keras 1.2 on Theano (C_out, C_in, K, 1).
        array = (array if array.shape[1] == 1 else array.transpose(2, 3, 1, 0))[:, 0]
    name = f"{layer}/{_PARTS.get(part, part)}"
    return replace(named, name=name, array=array, places=named.places or (named.name,))
