"""The weights' maps: the arrays as they are, one scale for all, what is broken marked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from figure_subjects import draw, subject, words
from layer_runs import build

from rnndiag.figures.checkpoint import weights


def images(picture: object) -> list:
    return [image for axes in picture.figure.axes for image in axes.images]  # type: ignore[attr-defined]


def test_the_arrays_are_drawn_as_they_are() -> None:
    run = build(inputs=3, units=5)
    (picture,) = draw(weights, subject(run))
    kernel, recurrent, bias = images(picture)[:3]
    np.testing.assert_array_equal(kernel.get_array(), run.weights.kernel)
    np.testing.assert_array_equal(recurrent.get_array(), run.weights.recurrent_kernel)
    np.testing.assert_array_equal(bias.get_array()[0], run.weights.bias)
    titles = [axes.get_title(loc="left") for axes in picture.figure.axes]
    assert titles[:2] == ["kernel 3 × 20", "recurrent kernel 5 × 20"]


def test_all_share_one_symmetric_scale() -> None:
    (picture,) = draw(weights, subject(build(inputs=30, units=20)))
    scales = {(image.norm.vmin, image.norm.vmax) for image in images(picture)[:3]}
    ((low, high),) = scales
    assert low == -high
    assert f"±{high:.3f}" in picture.caption


def test_black_lines_part_the_gates() -> None:
    (picture,) = draw(weights, subject(build("GRU", units=5)))
    kernel = picture.figure.axes[0]
    assert [line.get_xdata()[0] for line in kernel.lines] == [4.5, 9.5]
    labels = {label.get_text() for axes in picture.figure.axes for label in axes.get_xticklabels()}
    assert {"update", "reset", "candidate"} <= labels


def test_large_biases_do_not_bleach_the_kernels() -> None:
    run = build(units=20)
    own = replace(run.weights, bias=np.full(80, 50.0, np.float32))
    (picture,) = draw(weights, subject(replace(run, weights=own)))
    assert images(picture)[0].norm.vmax < 6
    assert "What lies beyond it has its color" in picture.caption


def test_what_is_not_finite_is_counted_on_its_gate() -> None:
    run = build(units=5)
    kernel = run.weights.kernel.copy()
    kernel[0, 6], kernel[1, 7] = np.nan, np.inf
    (picture,) = draw(weights, subject(replace(run, weights=replace(run.weights, kernel=kernel))))
    (mark,) = [text for text in picture.figure.axes[0].texts if "NaN" in text.get_text()]
    assert mark.get_text() == "2 NaN/∞"
    assert mark.get_position()[0] == 7.5  # the middle of the second gate's five columns
    assert "2 NaN or infinite" in picture.alt


def test_layers_without_biases_or_with_two() -> None:
    run = build("GRU", units=5)
    bare = replace(run.weights, bias=None)
    (picture,) = draw(weights, subject(replace(run, weights=bare)))
    assert "none" in set(words(picture))
    double = replace(run.weights, recurrent_bias=np.ones(15, np.float32))
    (picture,) = draw(weights, subject(replace(run, weights=double)))
    assert len(images(picture)) == 4


def test_the_range_of_each_bias_is_told() -> None:
    run = build("GRU", units=5)
    own = replace(run.weights, bias=np.linspace(-5.125, 5.8, 15), recurrent_bias=np.zeros(15))
    (picture,) = draw(weights, subject(replace(run, weights=own)))
    titles = [axes.get_title(loc="left") for axes in picture.figure.axes]
    assert titles[2:4] == ["bias -5.12 … 5.8", "recurrent bias 0 … 0"]


def test_rows_of_a_convolution_are_places_of_its_window() -> None:
    run = build(inputs=9, units=9)
    (picture,) = draw(weights, subject(replace(run, weights=replace(run.weights, window=3))))
    labels = [axes.get_ylabel() for axes in picture.figure.axes]
    assert labels[:2] == ["window × channel", "window × filter"]


def test_wide_layers_are_binned_and_said_to_be() -> None:
    run = build(inputs=900, units=300)
    (picture,) = draw(weights, subject(run))
    kernel = images(picture)[0]
    assert kernel.get_array().shape == (400, 600)
    assert np.abs(kernel.get_array()).max() == np.abs(run.weights.kernel).max()
    assert "Neighbors share a pixel" in picture.caption


def test_weights_of_zero_have_a_scale_too() -> None:
    run = build(units=1, inputs=1)
    zero = replace(
        run.weights,
        kernel=np.zeros((1, 4)),
        recurrent_kernel=np.zeros((1, 4)),
        bias=np.zeros(4),
    )
    (picture,) = draw(weights, subject(replace(run, weights=zero)))
    picture.figure.canvas.draw()
