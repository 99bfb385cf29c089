"""Layers whose other writers cannot be asked: what they compute, written out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from rnndiag.layers.base import Recorder, Signal, build
from rnndiag.records import Array, LayerSpec, Writer
from tests.graphs import layer

RNG = np.random.default_rng(0)


def apply(spec: LayerSpec, *values: Array, masks: tuple[Array | None, ...] = ()) -> Signal:
    told = masks or (None,) * len(values)
    signals = tuple(
        Signal(torch.from_numpy(value), None if mask is None else torch.from_numpy(mask))
        for value, mask in zip(values, told, strict=True)
    )
    recorder = Recorder(torch.Generator(), len(values[0]), 1, torch.device("cpu"))
    (signal,) = build(spec).run(signals, (), recorder)
    assert signal.lost is None, signal.lost
    return signal


def value(signal: Signal) -> Array:
    assert signal.value is not None
    found: Array = signal.value.numpy()
    return found


def written_by(version: str, spec: LayerSpec) -> LayerSpec:
    return replace(spec, writer=Writer(framework="keras", version=version))


def sample(*shape: int) -> Array:
    return RNG.normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("axes", [[1], [1, 2], [-1], [2, 1]])
def test_layer_normalization_along_axes(axes: list[int]) -> None:
    x = sample(3, 4, 5)
    kept = sorted(axis % 3 for axis in axes)
    gamma, beta = (sample(*(x.shape[axis] for axis in kept)) for _ in range(2))
    other = [1 if axis not in kept else x.shape[axis] for axis in range(3)]
    mean, variance = (f(x, axis=tuple(kept), keepdims=True) for f in (np.mean, np.var))
    want = (x - mean) / np.sqrt(variance + 0.1) * gamma.reshape(other) + beta.reshape(other)
    spec = layer("n", "LayerNormalization", gamma, beta, config={"axis": axes, "epsilon": 0.1})
    np.testing.assert_allclose(value(apply(spec, x)), want, atol=1e-5)


def test_layer_normalization_by_variance_alone() -> None:
    x, gamma = sample(3, 4), sample(4)
    spec = layer("n", "LayerNormalization", gamma, config={"rms_scaling": True})
    want = x / np.sqrt(x.var(-1, keepdims=True) + 1e-3) * gamma
    np.testing.assert_allclose(value(apply(spec, x)), want, atol=1e-5)


def test_batch_normalization_of_large_means_keeps_its_digits() -> None:
    """A time of day in seconds: 83 000 with a deviation of 10."""
    mean, variance = np.float32([83000.0]), np.float32([100.0])
    x = (83000 + 10 * RNG.normal(size=(7, 1))).astype(np.float32)
    spec = layer(
        "n", "BatchNormalization", mean, variance, config={"scale": False, "center": False}
    )
    want = (x.astype(np.float64) - 83000) / np.sqrt(100 + 1e-3)
    np.testing.assert_allclose(value(apply(spec, x)), want, atol=1e-6)


@pytest.mark.parametrize("length", range(1, 12))
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_same_padding_gives_every_stride_one_output(length: int, stride: int) -> None:
    x = sample(2, length, 3)
    spec = layer("p", "MaxPooling1D", config={"pool_size": 4, "strides": stride, "padding": "same"})
    have = value(apply(spec, x))
    before = max((-(-length // stride) - 1) * stride + 4 - length, 0) // 2
    starts = range(-before, -before + stride * -(-length // stride), stride)
    want = [x[:, max(start, 0) : start + 4].max(1) for start in starts]
    np.testing.assert_array_equal(have, np.stack(want, 1))


def test_masked_softmax_leaves_masked_positions_out() -> None:
    x, mask = sample(2, 4), np.array([[1, 1, 0, 1], [0, 0, 0, 0]], bool)
    have = value(apply(layer("s", "Softmax", config={"axis": -1}), x, masks=(mask,)))
    odds = np.exp(x[0]) * mask[0]
    np.testing.assert_allclose(have, [odds / odds.sum(), np.zeros(4)], atol=1e-6)


def test_softmax_of_a_sequence_is_not_masked() -> None:
    x, mask = sample(2, 4, 3), np.ones((2, 4), bool)
    have = apply(layer("s", "Softmax", config={"axis": [1, 2]}), x, masks=(mask,))
    np.testing.assert_allclose(value(have).sum((1, 2)), 1, atol=1e-6)
    assert have.mask is not None


@pytest.mark.parametrize(
    ("version", "want"),
    [
        ("2.3.1", [True, False, False, False]),
        ("2.15.0", [True, False, False, False]),
        ("3.0.5", None),
        ("3.3.3", None),
        ("3.4.0", [True, True, True, False]),
    ],
)
@pytest.mark.parametrize("kind", ["Add", "Concatenate"])
def test_merged_masks_are_the_writer_s(kind: str, version: str, want: list[bool] | None) -> None:
    masks = np.array([[1, 1, 0, 0]], bool), np.array([[1, 0, 1, 0]], bool)
    spec = written_by(version, layer("m", kind, config={"axis": -1}))
    found = apply(spec, sample(1, 4, 2), sample(1, 4, 2), masks=masks).mask
    assert (None if found is None else found[0].tolist()) == want


@pytest.mark.parametrize(
    ("version", "words", "sentences"),
    [
        ("2.1.6", False, False),
        ("2.2.4", True, True),
        ("2.15.0", True, True),
        ("3.15.1", False, False),
    ],
)
def test_masks_of_distributed_layers_are_the_writer_s(
    version: str, words: bool, sentences: bool
) -> None:
    """Whether an embedding's mask comes out, and whether a dense layer's is reduced."""
    ids = np.array([[[1, 0], [0, 0]]])
    embedding = layer("e", "Embedding", sample(3, 2), config={"mask_zero": True})
    wrapper = written_by(version, layer("each", "TimeDistributed", inner=(embedding,)))
    mask = apply(wrapper, ids).mask
    assert (mask is not None) == words
    assert mask is None or mask.tolist() == [[[True, False], [False, False]]]
    flatten = layer("each", "TimeDistributed", inner=(layer("f", "Flatten"),))
    mask = apply(written_by(version, flatten), sample(1, 2, 2, 3), masks=(ids != 0,)).mask
    assert mask is not None
    assert mask.tolist() == ([[True, False]] if sentences else (ids != 0).tolist())


def test_integers_become_floats() -> None:
    ids = np.array([[1, 2], [3, 4]])
    have = value(apply(layer("d", "Dense", np.eye(2, dtype=np.float32)), ids))
    assert have.dtype == np.float32
    np.testing.assert_array_equal(have, ids)


def test_uneven_padding_counts_in_no_mean() -> None:
    """As in TensorFlow; Keras on PyTorch repeats the last row and column there instead."""
    x = sample(2, 5, 4, 3)
    config = {"pool_size": [2, 3], "strides": [2, 1], "padding": "same"}
    have = value(apply(layer("p", "AveragePooling2D", config=config), x))
    rows, columns = range(0, 5, 2), range(4)
    want = [[x[:, r : r + 2, max(c - 1, 0) : c + 2].mean((1, 2)) for c in columns] for r in rows]
    np.testing.assert_allclose(have, np.moveaxis(np.array(want), 2, 0), atol=1e-6)


@pytest.mark.parametrize("kind", ["MaxPooling2D", "UpSampling2D", "ZeroPadding2D", "Flatten"])
def test_channels_that_stand_first(kind: str) -> None:
    x = sample(2, 4, 6, 3)
    want = value(apply(layer("l", kind), x))
    turned = np.ascontiguousarray(np.moveaxis(x, -1, 1))
    have = value(apply(layer("l", kind, config={"data_format": "channels_first"}), turned))
    np.testing.assert_array_equal(have if kind == "Flatten" else np.moveaxis(have, 1, -1), want)
