"""Weights by gate and the pre-activation budget: bars as high as what was measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from figure_subjects import draw, subject, words
from layer_runs import build

from rnndiag.figures._style import PARTS
from rnndiag.figures.checkpoint import preactivation_budget, weight_norms
from rnndiag.records import Budget


def test_bars_are_the_gates_root_mean_squares() -> None:
    run = build("GRU", units=6)
    (picture,) = draw(weight_norms, subject(run))
    (axes,) = picture.figure.axes
    kernel, recurrent, bias = axes.containers
    blocks = np.split(run.weights.kernel.astype(float), 3, axis=1)
    expected = [np.sqrt(np.square(block).mean()) for block in blocks]
    assert [bar.get_height() for bar in kernel] == pytest.approx(expected)
    assert len(recurrent) == len(bias) == 3
    assert [label.get_text() for label in axes.get_xticklabels()] == [
        *("update", "reset", "candidate")
    ]


def test_dotted_lines_are_where_the_weights_started() -> None:
    (picture,) = draw(weight_norms, subject(build("LSTM", inputs=3, units=5)))
    (axes,) = picture.figure.axes
    kernel, recurrent, bias = axes.collections
    # Glorot: 2 / (3 + 20); orthonormal rows of 20; a forget bias of 1 among zeros.
    for lines, square in ((kernel, 2 / 23), (recurrent, 1 / 20)):
        heights = [float(line[0, 1]) for line in lines.get_segments()]
        assert heights == pytest.approx([np.sqrt(square)] * 4)
    # Of the four biases only the forget gate's starts at 1, the others at 0.
    (line,) = bias.get_segments()
    assert line[:, 1].tolist() == [1, 1]
    assert line[:, 0].mean() == pytest.approx(1 + 0.27)
    assert "at initialisation" in set(words(picture))


@pytest.mark.parametrize("candidate", [None, 1.0])
def test_biases_of_pytorch_start_gate_by_gate(candidate: float | None) -> None:
    run = build("GRU", units=12, framework="torch")
    second = None if candidate is None else np.zeros(36, np.float32)
    run = replace(run, weights=replace(run.weights, recurrent_bias=second))
    (picture,) = draw(weight_norms, subject(run))
    bias = picture.figure.axes[0].collections[2]
    heights = [float(line[0, 1]) for line in bias.get_segments()]
    # Two summed biases of variance 1 / 3H; a candidate's two stay apart, as one of them.
    summed, single = np.sqrt(2 / 36), np.sqrt(1 / 36)
    assert heights == pytest.approx([summed, summed, single if candidate else summed])


def test_a_layer_without_biases_has_no_bars_of_them() -> None:
    run = build("GRU")
    (picture,) = draw(weight_norms, subject(replace(run, weights=replace(run.weights, bias=None))))
    assert len(picture.figure.axes[0].containers) == 2
    assert "bias" not in set(words(picture))


def test_weights_of_zero_and_of_nan() -> None:
    run = build("SimpleRNN", units=2, inputs=1)
    zero = replace(run.weights, kernel=np.zeros((1, 2)), recurrent_kernel=np.zeros((2, 2)))
    (picture,) = draw(weight_norms, subject(replace(run, weights=zero)))
    picture.figure.canvas.draw()
    broken = replace(run.weights, kernel=np.full((1, 2), np.nan))
    assert draw(weight_norms, subject(replace(run, weights=broken))) == []


def test_the_budget_is_stacked_to_one() -> None:
    parts = {
        "update": Budget(kernel=1.0, recurrent=4.0, bias=4.0),
        "reset": Budget(kernel=9.0, recurrent=0.0, bias=1.0),
        "candidate": Budget(kernel=0.0, recurrent=0.0, bias=0.0),
    }
    (picture,) = draw(preactivation_budget, subject(build("GRU", preactivations=parts)))
    (axes,) = picture.figure.axes
    kernel, recurrent, bias = axes.containers
    assert [bar.get_width() for bar in kernel] == pytest.approx([0.2, 0.75, 0])
    assert [bar.get_width() for bar in recurrent] == pytest.approx([0.4, 0, 0])
    assert [bar.get_x() for bar in bias] == pytest.approx([0.6, 0.75, 0])
    assert kernel[0].get_facecolor()[:3] != recurrent[0].get_facecolor()[:3]
    assert list(PARTS) == ["kernel", "recurrent", "bias"]
    # The update gate's bias is set by initialisation.
    assert list(words(picture)).count("not counted") == 1
    assert "only reset, candidate count: biases" in picture.caption
