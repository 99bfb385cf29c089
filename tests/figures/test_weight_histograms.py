"""The weights' distributions: shares that add up, one range for all, outliers kept apart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from figure_subjects import draw, lines, subject, words
from layer_runs import build

from rnndiag.figures.base import Picture
from rnndiag.figures.checkpoint import weight_histograms
from rnndiag.records import LayerRun


def picture(run: LayerRun) -> Picture:
    (found,) = draw(weight_histograms, subject(run))
    found.figure.canvas.draw()
    return found


def steps(found: Picture, axes: int = 0) -> list[Any]:
    """Kernel's and recurrent kernel's histogram: shares and edges."""
    return [own.get_data() for own in found.figure.axes[axes].patches]


def with_weights(run: LayerRun, **changes: Any) -> LayerRun:
    return replace(run, weights=replace(run.weights, **changes))


def test_each_gate_has_its_own_shares_in_shared_bins() -> None:
    run = build("LSTM", inputs=7, units=12)
    found = picture(run)
    for place in range(4):
        kernel, recurrent = steps(found, place)
        for drawn, matrix in ((kernel, run.weights.kernel), (recurrent, _recurrent(run))):
            block = matrix[:, 12 * place : 12 * (place + 1)].astype(float)
            expected, _ = np.histogram(np.clip(block, *drawn.edges[[0, -1]]), drawn.edges)
            np.testing.assert_allclose(drawn.values, expected / block.size, atol=1e-12)
        np.testing.assert_array_equal(kernel.edges, steps(found)[0].edges)
    titles = [own.get_title(loc="left") for own in found.figure.axes]
    assert titles == ["input", "forget", "candidate", "output"]


def _recurrent(run: LayerRun) -> np.ndarray:
    return run.weights.recurrent_kernel


def test_the_range_is_symmetric_and_zero_in_the_middle_of_a_bin() -> None:
    run = build("SimpleRNN")
    edges = steps(picture(run))[0].edges
    largest = max(np.abs(a).max() for a in (run.weights.kernel, _recurrent(run), run.weights.bias))
    assert edges[-1] == pytest.approx(largest)
    np.testing.assert_allclose(edges, -edges[::-1], atol=1e-12)
    assert edges[30] < 0 < edges[31]


def test_outliers_stand_at_the_ends_and_are_counted() -> None:
    run = build("SimpleRNN", inputs=50, units=50)
    kernel = run.weights.kernel.copy()
    kernel[0, 0], kernel[0, 1] = 1e4, -1e4
    found = picture(with_weights(run, kernel=kernel))
    shares, edges = steps(found)[0].values, steps(found)[0].edges
    assert edges[-1] < 15
    assert shares[0] == shares[-1] == 1 / 2500
    assert "At the ends: 2 beyond" in found.caption


def test_biases_are_ticks() -> None:
    run = build("GRU", units=4)
    double = with_weights(run, recurrent_bias=np.full(12, 0.25, np.float32))
    found = picture(double)
    np.testing.assert_allclose(lines(found)["bias (4 a gate)"].get_xdata(), run.weights.bias[:4])
    candidate = lines(found, 2)["bias (8 a gate)"].get_xdata()
    np.testing.assert_allclose(candidate, [*run.weights.bias[8:], *[0.25] * 4])


def test_dotted_lines_stand_at_the_width_of_the_start() -> None:
    found = lines(picture(build("LSTM", inputs=3, units=5)))
    kernel = found["± RMS at the start, kernel"].get_xdata()[0]
    assert kernel == pytest.approx(np.sqrt(2 / 23))
    recurrent = found["± RMS at the start, recurrent kernel"].get_xdata()[0]
    assert recurrent == pytest.approx(np.sqrt(1 / 20))
    torch = lines(picture(build("LSTM", units=5, framework="torch")))
    assert torch["± RMS at the start, both"].get_xdata()[0] == pytest.approx(np.sqrt(1 / 15))


def test_what_is_not_finite_is_counted_in_its_gates_title() -> None:
    run = build("GRU", units=5)
    kernel, bias = run.weights.kernel.copy(), run.weights.bias.copy()
    kernel[0, 6], kernel[1, 7], bias[5] = np.nan, np.inf, -np.inf
    found = picture(with_weights(run, kernel=kernel, bias=bias))
    titles = [own.get_title(loc="left") for own in found.figure.axes[:3]]
    assert titles == ["update", "reset: 3 NaN/∞", "candidate"]
    assert "3 NaN/∞" in found.alt
    assert sum(steps(found, 1)[0].values) == pytest.approx(1)
    assert not any("start" in word for word in words(found))


def test_many_weights_have_a_log_axis_and_few_a_linear_one() -> None:
    few, many = picture(build(units=3)), picture(build(units=80))
    assert few.figure.axes[0].get_yscale() == "linear"
    assert "logarithmic" not in few.caption
    assert many.figure.axes[0].get_yscale() == "log"
    assert "logarithmic" in many.caption


def test_nothing_finite_is_not_drawn() -> None:
    run = build("SimpleRNN", units=2, inputs=1)
    gone = with_weights(
        run,
        kernel=np.full((1, 2), np.nan),
        recurrent_kernel=np.full((2, 2), np.inf),
        bias=None,
    )
    assert draw(weight_histograms, subject(gone)) == []


@pytest.mark.parametrize("size", [0.0, 1e-300, 1e38, 1e150])
def test_weights_of_any_size(size: float) -> None:
    run = build("SimpleRNN", units=1, inputs=1)
    sized = with_weights(
        run,
        kernel=np.full((1, 1), size),
        recurrent_kernel=np.full((1, 1), -size),
        bias=np.array([size]),
    )
    kernel, _ = steps(picture(sized))
    assert sum(kernel.values) == 1


def test_a_kernel_of_nan_leaves_the_recurrent_one() -> None:
    run = build("SimpleRNN", units=3, inputs=1)
    kernel, recurrent = steps(picture(with_weights(run, kernel=np.full((1, 3), np.nan))))
    assert sum(kernel.values) == 0
    assert sum(recurrent.values) == pytest.approx(1)
