"""Configurations of Keras 1 in the words of Keras 2: its classes, their settings, its merging.

Renamed as Keras 2.0's own readers of old files did. What has no counterpart keeps a class name
that nothing rebuilds, so that the report names it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rnndiag.checkpoints._keras.configs import Config, kind_of, layers_of, own_of
from rnndiag.checkpoints._keras.keras1_branches import branches_joined, is_merged
from rnndiag.checkpoints.base import damaged

_KINDS = {
    "Convolution1D": "Conv1D",
    "AtrousConvolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    # A Dense layer of today takes the last axis of any input.
    "TimeDistributedDense": "Dense",
}
_MERGES = {
    "sum": "Add",
    "mul": "Multiply",
    "ave": "Average",
    "max": "Maximum",
    "concat": "Concatenate",
    "dot": "Dot",
}
_KEYS = {
    **{"output_dim": "units", "bias": "use_bias", "input_dtype": "dtype"},
    **{"inner_activation": "recurrent_activation", "init": "kernel_initializer"},
    **{"inner_init": "recurrent_initializer", "forget_bias_init": "unit_forget_bias"},
    **{"W_regularizer": "kernel_regularizer", "W_constraint": "kernel_constraint"},
    **{"U_regularizer": "recurrent_regularizer", "b_regularizer": "bias_regularizer"},
    **{"b_constraint": "bias_constraint", "consume_less": "implementation"},
    **{"dropout_W": "dropout", "dropout_U": "recurrent_dropout", "p": "rate", "sigma": "stddev"},
    **{"nb_filter": "filters", "filter_length": "kernel_size", "subsample_length": "strides"},
    **{"border_mode": "padding", "atrous_rate": "dilation_rate"},
    **{"pool_length": "pool_size", "stride": "strides", "length": "size"},
    **{"concat_axis": "axis", "dot_axes": "axes"},
    **{"subsample": "strides", "dim_ordering": "data_format"},
}
_OF_EMBEDDINGS = {
    "W_regularizer": "embeddings_regularizer",
    "W_constraint": "embeddings_constraint",
    "init": "embeddings_initializer",
    "output_dim": "output_dim",
}
_PENALTIES = {
    **{"L1L2Regularizer": "L1L2", "WeightRegularizer": "L1L2", "ActivityRegularizer": "L1L2"},
    **{"maxnorm": "MaxNorm", "nonneg": "NonNeg", "unitnorm": "UnitNorm"},
}
"""Regularizers and constraints; the last ones are of Keras before 1.2."""
_NUMBERS = {"m": "max_value", "low": "min_value", "high": "max_value"}
_VALUES: dict[str, dict[str, Any]] = {
    "consume_less": {"cpu": 0, "mem": 1, "gpu": 2},
    "forget_bias_init": {"one": True, "zero": False},
    "dim_ordering": {"tf": "channels_last", "th": "channels_first"},
}


def up_to_date(config: Config, path: Path) -> Config:
    """A configuration as it is, but for one that says it is of Keras 1."""
    is_old = str(config.get("keras_version")).startswith("1.")
    return translated(config, path) if is_old else config


def translated(config: Config, path: Path) -> Config:
    """One of Keras 1 as Keras 2 would have written it; `path` is where it was read.

    Raises `UnreadableCheckpoint` where it makes no sense.
    """
    try:
        return modern(config)
    except (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError) as error:
        what = f"the configuration is not as Keras 1 writes it ({type(error).__name__}: {error})"
        raise damaged(path, what) from error


def modern(config: Config) -> Config:
    """A model's or a layer's configuration in the words of Keras 2."""
    own = config.get("config")
    if is_merged(config):
        return modern(branches_joined(config))
    if isinstance(own, list):
        return {**config, "config": [modern(layer) for layer in layers_of(config)]}
    if not isinstance(own, Mapping):
        return config
    if isinstance(own.get("layers"), list):
        return {**config, "config": {**own, "layers": list(map(modern, layers_of(config)))}}
    kind = kind_of(config)
    names = {**_KEYS, **_OF_EMBEDDINGS} if kind == "Embedding" else _KEYS
    told = {names.get(key, key): _value(key, value) for key, value in own.items()}
    if isinstance(own.get("layer"), Mapping):
        told["layer"] = modern(own["layer"])
    return {**config, "class_name": _kind(kind, own), "config": told}


def kinds_within(config: Config) -> Iterator[tuple[str, str]]:
    """Name and class of every layer, those in models and wrappers included."""
    own = own_of(config)
    if "name" in own:
        yield str(own["name"]), kind_of(config)
    inner = own.get("layer")
    for layer in (*layers_of(config), *([inner] if isinstance(inner, Mapping) else [])):
        yield from kinds_within(layer)


def _kind(kind: str, own: Config) -> str:
    """The class that it is now; of an unknown one, what makes it so."""
    if kind == "Merge":
        mode = own.get("mode") if own.get("mode_type", "raw") == "raw" else "of a function"
        return _MERGES.get(str(mode), f"Merge ({mode})")
    if kind == "BatchNormalization" and own.get("mode"):
        return f"BatchNormalization (mode {own['mode']})"
    if own.get("dim_ordering") == "th" and kind.startswith("Convolution"):
        # Its kernels are stored in another order, too.
        return f"{kind} (dim_ordering th)"
    return _KINDS.get(kind, kind)


def _value(key: str, value: Any) -> Any:
    if key in _VALUES:
        return _VALUES[key].get(str(value))
    if isinstance(value, Mapping) and "name" in value and key.endswith(("izer", "constraint")):
        numbers = {_NUMBERS.get(name, name): n for name, n in value.items() if name != "name"}
        kind = str(value["name"])
        return {"class_name": _PENALTIES.get(kind, kind), "config": numbers}
    return value
