"""``--context FILE.toml``: what the user knows of the training and no file tells.

Every key may be left out; what is not said is not known::

    optimizer = "AdamW"
    learning_rate = 1e-3
    weight_decay = 1e-4       # the optimizer's own, on every parameter
    clipping = "clipnorm 1"   # or a number, or false where nothing clips
    steps = 20000
    epochs = 40
    batch_size = 32
    samples = 16000           # sequences in the training set
    shuffle = true
    split = [0.8, 0.1, 0.1]   # training, validation, test; or [80, 10, 10]
    test_in_training = false  # whether the test set was trained on, or chose anything

    [layers]                  # keys here are of all recurrent layers
    recurrent_dropout = 0.2

    [layers.lstm_1]           # tables here are of one, and win over the others
    kernel_decay = 1e-4       # of an L2 penalty, or decoupled
    recurrent_decay = 1e-5
    bias_decay = 0
    penalty = true            # whether they are L2 penalties in the loss or gradient
    dropout = 0.1             # of the layer's input
    kernel_constraint = "MaxNorm 3"  # false: none; so for recurrent_ and bias_constraint
    activity = false          # an activity regularizer
    use_bias = true
    stateful = false

A layer goes by its name in the report; dots in it need no quotes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rnndiag import toml_files
from rnndiag.errors import BadOption
from rnndiag.records import LayerSettings, Setting, Settings
from rnndiag.toml_files import Check, Document, Keys, number, text, truth, whole


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a context file says; every `Setting` in it has the file as its source."""

    source: str
    settings: Settings = field(default_factory=Settings)
    """Of the whole network; without layers."""
    layer: LayerSettings = field(default_factory=LayerSettings)
    """Of all recurrent layers."""
    layers: Mapping[str, LayerSettings] = field(default_factory=dict)
    """Of single layers, by the names that the file gives them."""
    places: Mapping[str, str] = field(default_factory=dict)
    """File and line of each of these names, for messages."""


def read(path: Path) -> Context:
    """Raises `rnndiag.errors.BadOption` with file, line and the nearest known key."""
    document = toml_files.read(path)
    values = toml_files.table(document, document.values)
    layers = toml_files.table(document, values.pop("layers", {}), ("layers",))
    shared = {key: value for key, value in layers.items() if not isinstance(value, Mapping)}
    own = list(_tables(document.values.get("layers", {}), ()))
    return Context(
        source=str(path),
        settings=replace(Settings(), **_settings(document, values, _NETWORK, ())),
        layer=LayerSettings(**_settings(document, shared, _LAYER, ("layers",))),
        layers={".".join(name): _layer(document, table, name) for name, table in own},
        places={".".join(name): document.place("layers", *name) for name, _ in own},
    )


def _tables(table: Mapping[str, Any], name: Keys) -> Iterator[tuple[Keys, Mapping[str, Any]]]:
    """Each layer's name and table: ``[layers.encoder.lstm_l0]`` is one layer, not two."""
    inner = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    if name and (len(inner) < len(table) or not table):
        yield name, {key: value for key, value in table.items() if key not in inner}
    for key, value in inner.items():
        yield from _tables(value, (*name, key))


def _layer(document: Document, values: Mapping[str, Any], name: Keys) -> LayerSettings:
    at = ("layers", *name)
    table = toml_files.table(document, values, at)
    return LayerSettings(**_settings(document, table, _LAYER, at))


def _settings(
    document: Document, values: Mapping[str, Any], checks: Mapping[str, Check], at: Keys
) -> dict[str, Any]:
    """A `Setting` of each value."""
    for key in values:
        if key not in checks and key in {**_NETWORK, **_LAYER}:
            raise _misplaced(document, at, key)
    found = toml_files.checked(document, values, checks, at)
    return {key: Setting(value=value, source=str(document.path)) for key, value in found.items()}


def _misplaced(document: Document, at: Keys, key: str) -> BadOption:
    of, where = (
        ("layers", "under [layers]") if key in _LAYER else ("the network", "above all tables")
    )
    place = toml_files.place_of(document, at, key)
    return BadOption(f"{place}: {key} is a setting of {of}", f"put it {where}")


# ---------------------------------------------------------------- what may stand there


def _clipping(value: Any) -> str:
    """A text, a norm, or false: ``clipnorm 1``, ``clip 1``, ``""``."""
    if value is False or value == "":
        return ""
    if isinstance(value, str):
        return text(value)
    try:
        norm = _decay(value)
    except ValueError:
        raise ValueError('a text such as "clipnorm 1", a number, or false') from None
    return f"clip {norm:g}" if norm else ""


def _what(value: Any) -> str:
    """A text for what there is, or false where there is nothing."""
    if value is False or value == "":
        return ""
    if not isinstance(value, str):
        raise ValueError('a text such as "MaxNorm 3", or false')
    return text(value)


def _split(value: Any) -> tuple[float, ...]:
    """Three shares, which sum to 1; in per cent they sum to 100."""
    words = "the shares of training, validation and test set, such as [0.8, 0.1, 0.1]"
    if not isinstance(value, list) or len(value) != 3:
        raise ValueError(words)
    try:
        shares = [_decay(share) for share in value]
        whole_set = next(most for most in (1, 100) if math.isclose(sum(shares), most))
    except (ValueError, StopIteration):
        raise ValueError(words) from None
    return tuple(share / whole_set for share in shares)


_decay = number(lambda value: value >= 0, "that is not negative")
_rate = number(lambda value: 0 <= value < 1, "of at least 0 and below 1")
_NETWORK: Mapping[str, Check] = {
    "optimizer": text,
    "learning_rate": number(lambda value: value > 0, "above 0"),
    "weight_decay": _decay,
    "clipping": _clipping,
    "steps": whole(1),
    "epochs": whole(1),
    "batch_size": whole(1),
    "samples": whole(1),
    "shuffle": truth,
    "split": _split,
    "test_in_training": truth,
}
_LAYER: Mapping[str, Check] = {
    "kernel_decay": _decay,
    "recurrent_decay": _decay,
    "bias_decay": _decay,
    "penalty": truth,
    "dropout": _rate,
    "recurrent_dropout": _rate,
    "kernel_constraint": _what,
    "recurrent_constraint": _what,
    "bias_constraint": _what,
    "activity": _what,
    "use_bias": truth,
    "stateful": truth,
}
