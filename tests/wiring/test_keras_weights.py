"""Whose arrays are whose in a nested model: by name, by place, or not at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rnndiag import checkpoints
from rnndiag.layers.base import Recorder, Signal
from rnndiag.records import Array, Checkpoint, KerasModel, NamedArray
from rnndiag.running.network import Network
from rnndiag.wiring import keras_config
from rnndiag.wiring._keras_weights import split, variables

DATA = Path(__file__).parents[1] / "data" / "networks"
NESTED = ["keras-2.3.1/nested_in_nested", "tf-keras-2.15/nested_twice", "keras-3.3.3/nested_twice"]


def arrays(*names: str) -> list[NamedArray]:
    return [NamedArray(name=name, array=np.full(1, k)) for k, name in enumerate(names)]


def config(kind: str, **own: Any) -> dict[str, Any]:
    return {"class_name": kind, "config": own}


LAYERS = [
    ("frozen", config("Dense", trainable=False)),
    ("norm", config("BatchNormalization", scale=False)),
    ("rnn", config("LSTM", use_bias=False)),
]
PLACES = [
    "norm/beta",
    "rnn/kernel",
    "rnn/recurrent",
    "frozen/kernel",
    "frozen/bias",
    "norm/mean",
    "norm/var",
]
WANTED = {"frozen": [3, 4], "norm": [0, 5, 6], "rnn": [1, 2]}


def numbers(found: Any) -> dict[str, list[int]]:
    return {name: [int(own.array[0]) for own in share] for name, share in found.items()}


@pytest.mark.parametrize(
    "names",
    [
        PLACES,
        [f"tower/{name}:0" for name in PLACES],
        [name.split("/")[1] for name in PLACES],
        [name.replace("/", "_1/") for name in PLACES],
        # Other layers' names, which would give each a wrong number of arrays.
        [name.replace("norm", "rnn") for name in PLACES],
    ],
)
def test_names_that_tell_and_names_that_do_not(names: list[str]) -> None:
    assert numbers(split(LAYERS, arrays(*names))) == WANTED


def test_a_custom_layer_is_found_by_name_only() -> None:
    layers = [*LAYERS, ("mystery", config("MyAttention"))]
    named = split(layers, arrays(*PLACES, "mystery/w"))
    assert numbers(named) == {**WANTED, "mystery": [7]}
    assert split(layers, arrays(*(name.split("/")[1] for name in PLACES), "w")) is None


@pytest.mark.parametrize(
    ("layer", "want"),
    [
        (config("Dense", use_bias=False), [True]),
        (config("BatchNormalization"), [True, True, False, False]),
        (config("BatchNormalization", center=False, trainable=False), [False] * 3),
        (config("LayerNormalization", scale=False), [True]),
        (config("PReLU"), [True]),
        (config("Embedding"), [True]),
        (config("SeparableConv1D"), [True] * 3),
        (config("Dropout"), []),
        (config("GRU"), [True] * 3),
        (config("TimeDistributed", layer=config("BatchNormalization")), [True, True, False, False]),
        (config("Bidirectional", layer=config("LSTM", use_bias=False)), [True] * 4),
        (
            config(
                "Bidirectional", layer=config("LSTM"), backward_layer=config("GRU", use_bias=False)
            ),
            [True] * 5,
        ),
        (config("RNN", cell=config("LSTMCell")), [True] * 3),
        (
            config(
                "RNN",
                cell=config(
                    "StackedRNNCells", cells=[config("GRUCell", use_bias=False), config("LSTMCell")]
                ),
            ),
            [True] * 5,
        ),
        (
            config("Sequential", layers=[config("BatchNormalization"), config("Dense")]),
            [True] * 4 + [False] * 2,
        ),
        ({"class_name": "Sequential", "config": [config("Dense"), config("Dense")]}, [True] * 4),
        (config("MyAttention"), None),
        (config("Sequential", layers=[config("MyAttention")]), None),
    ],
)
def test_how_many_arrays_a_layer_has(layer: dict[str, Any], want: list[bool] | None) -> None:
    found = variables(layer)
    assert (found if found is None else list(found)) == want


def outputs(checkpoint: Checkpoint, model: KerasModel, inputs: list[Array]) -> list[Array | None]:
    network = Network(keras_config.graph(checkpoint, model), torch.device("cpu"))
    recorder = Recorder(torch.Generator().manual_seed(0), len(inputs[0]), 6, network.device)
    values = tuple(Signal(torch.from_numpy(x)) for x in inputs)
    signals = network.run(values, recorder).outputs
    return [None if s.value is None or s.lost else s.value.detach().numpy() for s in signals]


def renamed(model: KerasModel, rename: Any) -> KerasModel:
    weights = {
        layer: tuple(replace(own, name=rename(own.name)) for own in arrays)
        for layer, arrays in model.weights.items()
    }
    return replace(model, weights=weights)


@pytest.mark.parametrize("name", NESTED)
def test_bare_names_give_the_same_network(name: str) -> None:
    """As Keras 3.0 to 3.2 write them."""
    checkpoint = checkpoints.read(DATA / f"{name}.h5")
    reference = np.load(DATA / f"{name}.npz")
    assert isinstance(checkpoint.content, KerasModel)
    bare = renamed(checkpoint.content, lambda name: name.rsplit("/", 1)[-1])
    found = outputs(checkpoint, bare, [reference["x0"]])
    for k, output in enumerate(found):
        assert output is not None
        np.testing.assert_allclose(output, reference[f"y{k}"], atol=1e-5)


def test_arrays_that_cannot_be_told_apart_are_not_guessed() -> None:
    checkpoint = checkpoints.read(DATA / "tf-keras-2.15/nested_twice.h5")
    reference = np.load(DATA / "tf-keras-2.15/nested_twice.npz")
    assert isinstance(checkpoint.content, KerasModel)
    bare = renamed(checkpoint.content, lambda name: "array")
    short = replace(bare, weights={**bare.weights, "tower": bare.weights["tower"][1:]})
    assert set(outputs(checkpoint, short, [reference["x0"]])) == {None}
    network = Network(keras_config.graph(checkpoint, short), torch.device("cpu"))
    (missing,) = network.not_analysed
    assert missing.name == "tower/inside"
    assert "cannot be told apart" in missing.reason
