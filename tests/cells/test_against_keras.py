"""Keras's recurrent layers against the cells; and the layout of Keras 2's CuDNN layers."""

from __future__ import annotations

import os
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from equations import KERAS_2, KERAS_3, Floats

from rnndiag.cells.base import Cell, as_array
from rnndiag.cells.gru import GRU
from rnndiag.cells.lstm import LSTM
from rnndiag.cells.simple_rnn import SimpleRNN
from rnndiag.records import LayerSpec
from rnndiag.recurrence.unrolling import unroll

STEPS, BATCH, INPUTS, UNITS = 6, 4, 3, 5
# Keras's torch backend multiplies in float32, whatever the dtype of the layer.
TOLERANCE = 1e-6
CELLS: dict[str, type[Cell]] = {"LSTM": LSTM, "GRU": GRU, "SimpleRNN": SimpleRNN}
ACTIVATIONS = ("tanh", "relu", "sigmoid", "hard_sigmoid", "softsign", "elu", "linear", "softmax")


@pytest.fixture(scope="module")
def layers() -> ModuleType:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    if keras.backend.backend() != "torch":
        pytest.skip("Keras runs on another backend here")
    module: ModuleType = keras.layers
    return module


def weights(kind: str, bias: bool, reset_after: bool = True) -> tuple[Floats, ...]:
    """Arrays as Keras stores them."""
    rng = np.random.default_rng(3)
    columns = len(CELLS[kind].gates) * UNITS
    rows = (2, columns) if kind == "GRU" and reset_after else (columns,)
    shapes = [(INPUTS, columns), (UNITS, columns), rows][: 3 if bias else 2]
    return tuple((0.3 * rng.standard_normal(shape)).astype(np.float32) for shape in shapes)


def inputs() -> Floats:
    return np.random.default_rng(4).standard_normal((BATCH, STEPS, INPUTS))


def sequence(cell: Cell, x: Floats) -> Floats:
    """Every h of the cell from the zero state, batch first, float64."""
    given = torch.from_numpy(x).transpose(0, 1)
    run = unroll(cell.double(), given, cell.zero_state(len(x)), None)
    return as_array(run.h.transpose(0, 1))


def check(layers: ModuleType, kind: str, arrays: tuple[Floats, ...], **config: Any) -> None:
    config = {"use_bias": len(arrays) == 3, **config}
    layer = getattr(layers, kind)(UNITS, return_sequences=True, **config)
    x = inputs()
    layer.build(x.shape)
    layer.set_weights(arrays)
    spec = LayerSpec(
        name="rnn", kind=kind, config=layer.get_config(), writer=KERAS_3, weights=arrays
    )
    got, want = sequence(CELLS[kind].from_spec(spec), x), layer(torch.from_numpy(x).float())
    np.testing.assert_allclose(got, as_array(want), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_simple_rnn(layers: ModuleType, name: str, bias: bool) -> None:
    check(layers, "SimpleRNN", weights("SimpleRNN", bias), activation=name)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("gates", [False, True], ids=["state", "gates"])
def test_lstm(layers: ModuleType, name: str, gates: bool) -> None:
    role = "recurrent_activation" if gates else "activation"
    check(layers, "LSTM", weights("LSTM", bias=not gates), **{role: name})


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("gates", [False, True], ids=["state", "gates"])
@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_gru(layers: ModuleType, name: str, gates: bool, reset_after: bool, bias: bool) -> None:
    role = "recurrent_activation" if gates else "activation"
    arrays = weights("GRU", bias, reset_after)
    check(layers, "GRU", arrays, reset_after=reset_after, **{role: name})


def cudnn(array: Floats, gates: int, recurrent: bool) -> Floats:
    """An array in the layout of CuDNN's parameters, one element after the other.

    CuDNN holds a gate's matrix as (units, features), row by row. Keras 2 stores the
    recurrent one as that matrix, and pours the other into its own shape (features, units).
    """
    packed = np.empty_like(array)
    features, units = array.shape[0], array.shape[1] // gates
    for gate in range(gates):
        for unit in range(units):
            for feature in range(features):
                place = divmod(unit * features + feature, units)
                row, column = (unit, feature) if recurrent else place
                packed[row, gate * units + column] = array[feature, gate * units + unit]
    return packed


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_cudnn_layers_are_their_plain_twins(layers: ModuleType, kind: str) -> None:
    gates = len(CELLS[kind].gates)
    kernel, recurrent, _ = weights(kind, bias=True)
    biases = np.random.default_rng(5).standard_normal((2, gates * UNITS)).astype(np.float32)
    stored = (cudnn(kernel, gates, False), cudnn(recurrent, gates, True), biases.ravel())
    spec = LayerSpec(name="rnn", kind=f"CuDNN{kind}", config={}, writer=KERAS_2, weights=stored)
    layer = getattr(layers, kind)(UNITS, return_sequences=True)
    x = inputs()
    layer.build(x.shape)
    layer.set_weights((kernel, recurrent, biases if kind == "GRU" else biases.sum(0)))
    got, want = sequence(CELLS[kind].from_spec(spec), x), layer(torch.from_numpy(x).float())
    np.testing.assert_allclose(got, as_array(want), rtol=0, atol=TOLERANCE)


def test_hard_sigmoid_is_the_writers() -> None:
    arrays = weights("SimpleRNN", bias=True)
    specs = [
        LayerSpec(
            name="rnn",
            kind="SimpleRNN",
            config={"activation": "hard_sigmoid"},
            writer=writer,
            weights=arrays,
        )
        for writer in (KERAS_2, KERAS_3)
    ]
    old, new = (SimpleRNN.from_spec(spec).activation(torch.tensor([-2.7, 1.0])) for spec in specs)
    torch.testing.assert_close(old, torch.tensor([0.0, 0.7]))
    torch.testing.assert_close(new, torch.tensor([0.05, 4 / 6]))
