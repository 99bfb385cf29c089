"""The scale of a probe's features, against values worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from graphs import chain, embedding, layer, lstm, side_by_side, source

from rnndiag.probe.scale import scales
from rnndiag.records import Array, Graph, InputScale, Probe

TWO_FEATURES = chain(source("x", (None, None, 2)), lstm("rnn", 2))


def probe(*inputs: Any, **more: Any) -> Probe:
    arrays = tuple(np.asarray(array) for array in inputs)
    more.setdefault("source", "file")
    return Probe(inputs=arrays, batch=len(arrays[0]), timesteps=2, seeds=1, **more)


def floats(*samples: Any) -> Array:
    return np.array(samples, np.float32)


def only(made: Probe, graph: Graph = TWO_FEATURES) -> InputScale:
    (found,) = scales(made, graph)
    return found


X = floats([[1, 100], [3, -300]], [[5, 100], [7, 100]])


def test_means_deviations_and_the_largest_of_each_feature_over_all_steps() -> None:
    found = only(probe(X))
    assert found.means == pytest.approx((4, 0))
    # (9 + 1 + 1 + 9) / 4 and (3 · 100² + 300²) / 4
    assert found.deviations == pytest.approx((5**0.5, 30000**0.5))
    assert found.largest == (7, 300)


def test_padding_is_left_out() -> None:
    padding = np.array([[False, True], [False, False]])
    found = only(probe(X, paddings=(padding,)))
    assert found.means == pytest.approx((13 / 3, 100))
    assert found.deviations == pytest.approx(((56 / 9) ** 0.5, 0))
    assert found.largest == (7, 100)


def test_what_the_network_masks_is_left_out_wherever_it_stands() -> None:
    masking = layer("mask", "Masking", config={"mask_value": -1.0})
    graph = chain(source("x", (None, None, 2)), masking, lstm("rnn", 2))
    found = only(probe(floats([[-1, -1], [-1, 4]], [[3, 0], [-1, -1]])), graph)
    assert found.means == pytest.approx((1, 2))
    assert found.largest == (3, 4)


def test_an_input_of_nothing_but_masked_steps_has_no_scale() -> None:
    graph = chain(source("x", (None, None, 2)), layer("mask", "Masking"), lstm("rnn", 2))
    assert scales(probe(np.zeros((2, 2, 2), np.float32)), graph) == ()


def test_token_ids_have_no_scale_and_other_inputs_keep_their_order() -> None:
    static = chain(source("static", (None, 3)), layer("dense", "Dense", np.zeros((3, 1))))
    graph = side_by_side(chain(source("ids", (None, 4)), embedding("words", 9)), static)
    ids = np.array([[1, 2, 3, 0], [8, 0, 0, 0]])
    padding = ids == 0
    found = only(probe(ids, floats([1, 2, 3], [3, 2, -9]), paddings=(padding, None)), graph)
    assert found.means == pytest.approx((2, 2, -3))
    assert found.deviations == pytest.approx((1, 0, 6))
    assert found.largest == (3, 2, 9)


def test_features_are_the_last_axis_whatever_stands_before() -> None:
    graph = chain(source("x", (None, None, 3, 2)), layer("conv", "Conv2D"))
    frames = np.arange(24, dtype=np.float32).reshape(2, 2, 3, 2)
    found = only(probe(frames), graph)
    assert found.means == pytest.approx((11, 12))


def test_a_made_up_probe_has_no_scale() -> None:
    assert scales(probe(X, source="synthetic"), TWO_FEATURES) == ()


def test_large_numbers_and_many_features_are_kept_exactly() -> None:
    graph = chain(source("x", (None, None, 600)), lstm("rnn", 600))
    array = np.full((2, 2, 600), 3e38, np.float32)
    found = only(probe(array), graph)
    assert len(found.means) == len(found.deviations) == 600
    assert found.means[599] == found.largest[599] == float(np.float32(3e38))
    assert found.deviations == (0,) * 600


def test_the_probe_is_not_changed() -> None:
    made = probe(X.copy())
    scales(made, TWO_FEATURES)
    np.testing.assert_array_equal(made.inputs[0], X)
