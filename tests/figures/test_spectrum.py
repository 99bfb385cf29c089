"""Singular values and eigenvalues as algebra has them; what has none says why."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from figure_subjects import draw, subject, words
from layer_runs import build

from rnndiag.figures.base import Picture
from rnndiag.figures.checkpoint import spectrum
from rnndiag.records import LayerRun


def picture(run: LayerRun) -> Picture:
    (found,) = draw(spectrum, subject(run))
    found.figure.canvas.draw()
    return found


def recurrent(run: LayerRun, matrix: np.ndarray, **changes: object) -> LayerRun:
    return replace(run, weights=replace(run.weights, recurrent_kernel=matrix, **changes))


def singular(found: Picture) -> dict[str, np.ndarray]:
    """The lines of the row above, by the gate that their label begins with."""
    axes = next(own for own in found.figure.axes if own.get_ylabel().startswith("singular"))
    labels = {line.get_label().partition(":")[0]: line.get_ydata() for line in axes.lines}
    return {gate: drawn for gate, drawn in labels.items() if gate != "σ = 1"}


def test_a_rotation_and_a_shear_have_known_spectra() -> None:
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    shear = np.array([[0.5, 10.0], [0.0, 0.25]])
    scaled = np.diag([3.0, -2.0])
    run = recurrent(build("GRU", units=2), np.concatenate([turn, shear, scaled], axis=1))
    found = picture(run)
    values = singular(found)
    np.testing.assert_allclose(values["update"], [1, 1])
    np.testing.assert_allclose(values["candidate"], [3, 2])
    # σ₁σ₂ = |det| = .125, σ₁² + σ₂² = ‖·‖² = 100.3125
    largest = np.sqrt((100.3125 + np.sqrt(100.3125**2 - 4 * 0.125**2)) / 2)
    np.testing.assert_allclose(values["reset"], [largest, 0.125 / largest])
    drawn = {
        own.get_title(loc="left"): sorted(zip(*own.lines[0].get_data(), strict=True))
        for own in found.figure.axes
        if own.get_xlabel() == "Re λ"
    }
    expected = {
        "update: 0 of 2 outside": [(0.6, -0.8), (0.6, 0.8)],
        "reset: 0 of 2 outside": [(0.25, 0), (0.5, 0)],
        "candidate: 2 of 2 outside": [(-2, 0), (3, 0)],
    }
    assert list(drawn) == list(expected)
    for title, points in expected.items():
        np.testing.assert_allclose(drawn[title], points, atol=1e-12)
    assert any("candidate: σ max 3.00, ρ 3.00" in word for word in words(found))


def test_eigenvalues_stand_on_one_scale_around_the_unit_circle() -> None:
    found = picture(build("LSTM", units=9))
    planes = [own for own in found.figure.axes if own.get_xlabel() == "Re λ"]
    assert len(planes) == 4
    assert {own.get_xlim() for own in planes} == {planes[0].get_ylim()}
    assert all(own.get_aspect() == 1 for own in planes)
    assert all(own.patches[0].radius == 1 for own in planes)


def test_a_projection_has_no_eigenvalues_and_says_so() -> None:
    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((3, 20))
    found = picture(recurrent(build("LSTM", units=5), matrix))
    assert "There are no eigenvalues: the blocks are 3 × 5" in found.caption
    assert len(found.figure.axes) == 1
    np.testing.assert_allclose(
        singular(found)["forget"], np.linalg.svd(matrix[:, 5:10])[1], atol=1e-12
    )


def test_a_convolution_has_none_either() -> None:
    matrix = np.ones((9 * 5, 20))
    found = picture(recurrent(build("LSTM", units=5), matrix, window=9))
    assert "a convolution's block (45 × 5)" in found.caption


def test_large_blocks_are_cut_short_and_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spectrum, "_MOST_EIGENVALUES", 4)
    found = picture(build("GRU", units=5))
    assert set(singular(found)) == {"update", "reset", "candidate"}
    assert "more than 4 units would take too long" in found.caption
    monkeypatch.setattr(spectrum, "_MOST_SINGULAR", 4)
    found = picture(build("GRU", units=5))
    assert set(singular(found)) == {"candidate"}
    assert "Left out: update, reset, because over 4 units" in found.caption
    monkeypatch.setattr(spectrum, "_MOST_OF_ONE_GATE", 4)
    assert draw(spectrum, subject(build("GRU", units=5))) == []


def test_a_gate_that_is_not_finite_is_left_out() -> None:
    run = build("GRU", units=4)
    matrix = run.weights.recurrent_kernel.copy()
    matrix[0, 5] = np.nan
    found = picture(recurrent(run, matrix))
    assert set(singular(found)) == {"update", "candidate"}
    assert "Left out: reset, because their weights are not finite" in found.caption
    assert draw(spectrum, subject(recurrent(run, np.full((4, 12), np.inf)))) == []


@pytest.mark.parametrize("size", [0.0, 1e-300, 1e38, 1e150])
def test_blocks_of_any_size(size: float) -> None:
    found = picture(recurrent(build("SimpleRNN", units=1), np.full((1, 1), size)))
    assert singular(found)["hidden"] == pytest.approx([size])


def test_wide_spectra_have_a_log_axis() -> None:
    matrix = np.diag([1e4, 1.0, 1e-3, 0.0])
    found = picture(recurrent(build("SimpleRNN", units=4), matrix))
    axes = next(own for own in found.figure.axes if own.get_ylabel().startswith("singular"))
    assert axes.get_yscale() == "log"
    calm = picture(recurrent(build("SimpleRNN", units=4), np.eye(4)))
    assert {own.get_yscale() for own in calm.figure.axes} == {"linear"}
