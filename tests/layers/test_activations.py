"""Activation functions against Keras's, and their slopes against finite differences."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import torch

from rnndiag.activations import (
    _BOUNDED,
    _OTHER,
    _RECTIFIED,
    _VECTOR,
    UnknownActivation,
    activation,
    from_layer,
)
from rnndiag.records import Writer

KERAS_3 = Writer(framework="keras", version="3.15.1")
NAMES = sorted({*_BOUNDED, *_RECTIFIED, *_OTHER, *_VECTOR})


def points() -> torch.Tensor:
    return torch.linspace(-4.03, 4.07, 42, dtype=torch.float32).reshape(6, 7)


@pytest.mark.parametrize("name", NAMES)
def test_names_are_keras_s(name: str) -> None:
    ours = activation(name, KERAS_3)(points())
    np.testing.assert_allclose(ours, keras.activations.get(name)(points()), atol=1e-6)


@pytest.mark.parametrize("name", sorted({*NAMES} - {*_VECTOR}))
def test_slopes(name: str) -> None:
    x, step = points().double(), 1e-6
    function = activation(name, KERAS_3)
    rise = (function(x + step) - function(x - step)) / (2 * step)
    np.testing.assert_allclose(function.slope(x), rise, atol=1e-6)


@pytest.mark.parametrize(
    ("version", "slope"), [("2.15.0", 0.2), ("2.2.4-tf", 0.2), (None, 0.2), ("3.0.5", 1 / 6)]
)
def test_hard_sigmoid_is_the_writer_s(version: str | None, slope: float) -> None:
    function = activation("hard_sigmoid", Writer(framework="keras", version=version))
    want = (points() * slope + 0.5).clamp(0, 1)
    np.testing.assert_allclose(function(points()), want, atol=1e-7)


@pytest.mark.parametrize("framework", ["keras", "torch"])
def test_bounded_functions_are_bounded(framework: str) -> None:
    far = torch.tensor([-1e4, 1e4])
    for name in NAMES:
        function = activation(name, Writer(framework=framework, version="3.0"))  # type: ignore[arg-type]
        values = function(far)
        assert function.bounded == (bool((values.abs() <= 1).all()) and name not in _VECTOR), name
        assert not function.rectified or values[0] == 0


def test_stored_objects() -> None:
    x = points()
    by_name = activation({"class_name": "function", "config": "relu"}, KERAS_3)
    assert torch.equal(by_name(x), x.relu())
    old = activation({"class_name": "LeakyReLU", "config": {"alpha": 0.1}}, KERAS_3)
    new = activation({"class_name": "LeakyReLU", "config": {"negative_slope": 0.1}}, KERAS_3)
    assert torch.equal(old(x), new(x))
    assert not torch.equal(old(x), activation("leaky_relu", KERAS_3)(x))
    assert torch.equal(activation(None, KERAS_3)(x), x)


def test_thresholded_relu() -> None:
    function = from_layer("ThresholdedReLU", {"theta": 1.5}, KERAS_3)
    x = torch.tensor([-2.0, 1.0, 1.5, 2.0])
    assert function(x).tolist() == [0, 0, 0, 2]


@pytest.mark.parametrize("value", ["my_function", {"class_name": "function", "config": "mine"}])
def test_custom_functions_are_not_run(value: object) -> None:
    with pytest.raises(UnknownActivation, match="m"):
        activation(value, KERAS_3)  # type: ignore[arg-type]
