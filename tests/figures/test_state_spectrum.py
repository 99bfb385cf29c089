"""Spectrum of the states: eigenvalues that are known, and marks where they were measured."""

from __future__ import annotations

import numpy as np
import pytest
from figure_subjects import draw, lines, subject
from layer_runs import altered, arrays_of, build

from rnndiag.figures.base import Picture
from rnndiag.figures.checkpoint import state_spectrum
from rnndiag.figures.checkpoint.state_spectrum import spectrum
from rnndiag.records import Array

DIRECTIONS, UNITS = "variance along a direction", "E h² of a unit"


def hadamard(variances: Array) -> Array:
    """(8, H) of columns with mean 0 that do not correlate and have these variances."""
    two = np.array([[1, 1], [1, -1]])
    eight = np.kron(np.kron(two, two), two)
    return eight[:, 1 : len(variances) + 1] * np.sqrt(variances)


def drawn(h: Array, **changes: object) -> Picture:
    """The picture of states (N, H), one sample."""
    run = build("GRU", batch=1, timesteps=len(h), units=h.shape[1], **{"h": h[None], **changes})
    (picture,) = draw(state_spectrum, subject(run))
    return picture


def test_the_spectrum_of_known_variances() -> None:
    variances = np.array([1.0, 6.0, 3.0])
    turned = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    h = hadamard(variances) @ turned + 5
    np.testing.assert_allclose(spectrum(np.cov(h.T)), [0.6, 0.3, 0.1])
    np.testing.assert_allclose(lines(drawn(h))[DIRECTIONS].get_ydata(), [0.6, 0.3, 0.1])


@pytest.mark.parametrize("most", [1000, 8])
def test_more_units_than_steps_have_the_same_spectrum(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whether it is that of the covariance or that of the steps, as of many units.
    monkeypatch.setattr(state_spectrum, "_MOST_ROWS", most)
    h = np.random.default_rng(1).standard_normal((6, 9))
    found = lines(drawn(h))[DIRECTIONS].get_ydata()
    eigenvalues = np.linalg.eigvalsh(np.cov(h.T))[::-1]
    assert len(found) == 6
    np.testing.assert_allclose(found[:5], eigenvalues[:5] / eigenvalues.sum())
    assert found[5] == 1e-8


@pytest.mark.parametrize("size", [1e-300, 1e300])
def test_the_spectrum_does_not_depend_on_the_size(size: float) -> None:
    np.testing.assert_allclose(spectrum(np.diag([1.0, 3.0]) * size), [0.75, 0.25])


def test_nothing_that_varies_has_no_shares() -> None:
    np.testing.assert_array_equal(spectrum(np.zeros((2, 2))), [0, 0])


def test_what_rounding_made_negative_is_nothing() -> None:
    np.testing.assert_array_equal(spectrum(np.diag([-1e-9, 2.0])), [1, 0])


def test_curves_and_marks() -> None:
    picture = drawn(hadamard(np.array([0.1, 0.6, 0.3])))
    found = lines(picture)
    np.testing.assert_allclose(found[DIRECTIONS].get_ydata(), [0.6, 0.3, 0.1])
    np.testing.assert_allclose(found[UNITS].get_ydata(), [0.6, 0.3, 0.1])
    # 1 / (.36 + .09 + .01)
    assert found["participation ratio 2.2 of 3"].get_xdata()[0] == pytest.approx(1 / 0.46)
    assert found["top unit 1: 60 % of Σ E h²"].get_ydata() == pytest.approx([0.6])
    assert found["all 3 alike: 0.33"].get_ydata()[0] == pytest.approx(1 / 3)
    above, below = picture.figure.axes
    assert above.get_yscale() == "log"
    np.testing.assert_allclose(below.lines[0].get_ydata(), [0.6, 0.9, 1.0])
    assert below.get_xscale() == "linear"


def test_the_alt_text_counts_directions() -> None:
    picture = drawn(hadamard(np.array([0.15, 0.5, 0.35])))
    assert "90 % of the variance lie along 3 directions" in picture.alt
    assert "Unit 1 alone has 50 % of Σ E h²" in picture.alt


def test_the_ratio_measured_is_that_of_the_curve() -> None:
    h = np.random.default_rng(2).standard_normal((200, 40)) * np.linspace(0.1, 1, 40)
    picture = drawn(h)
    shares = lines(picture)[DIRECTIONS].get_ydata()
    (mark,) = [own for name, own in lines(picture).items() if name.startswith("participation")]
    assert mark.get_xdata()[0] == pytest.approx(1 / np.square(shares).sum())
    assert picture.figure.axes[1].get_xscale() == "log"


def test_a_constant_adds_to_a_unit_and_not_to_a_direction() -> None:
    h = hadamard(np.array([1.0, 1.0])) + np.array([3.0, 0.0])
    found = lines(drawn(h))
    np.testing.assert_allclose(found[DIRECTIONS].get_ydata(), [0.5, 0.5])
    np.testing.assert_allclose(found[UNITS].get_ydata(), [10 / 11, 1 / 11])


def test_a_convolutions_units_are_its_filters() -> None:
    h = hadamard(np.array([0.2, 0.8]))
    flat = np.concatenate([h, h], axis=1)
    run = build("GRU", batch=1, timesteps=8, units=2, h=flat[None], positions=2)
    (picture,) = draw(state_spectrum, subject(run))
    np.testing.assert_allclose(lines(picture)[DIRECTIONS].get_ydata(), [0.8, 0.2])
    assert "over 8 steps at each of 2 positions" in picture.caption


def test_of_many_units_some_steps_are_taken_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(state_spectrum, "_MOST_ROWS", 10)
    h = np.random.default_rng(3).standard_normal((25, 12))
    picture = drawn(h)
    assert "rests on one step in 3" in picture.caption
    some = spectrum(np.cov(h[::3].T))[:9]
    np.testing.assert_allclose(lines(picture)[DIRECTIONS].get_ydata(), some, atol=1e-8)
    assert len(lines(picture)[UNITS].get_ydata()) == 12
    few = drawn(h[:, :10])
    assert "one step in" not in few.caption
    every = spectrum(np.cov(h[:, :10].T))
    np.testing.assert_allclose(lines(few)[DIRECTIONS].get_ydata(), every)


def test_masked_steps_do_not_count() -> None:
    h = np.concatenate([hadamard(np.array([3.0, 1.0])), np.full((2, 2), 50.0)])
    mask = np.arange(10)[None] < 8
    found = lines(drawn(h, mask=mask, real=mask))
    np.testing.assert_allclose(found[DIRECTIONS].get_ydata(), [0.75, 0.25])


def test_states_that_do_not_vary_have_no_spectrum() -> None:
    run = build("GRU", units=2)
    for value in (0.0, 1.0, np.nan):
        h = np.full_like(arrays_of(run).h, value)
        assert draw(state_spectrum, subject(altered(run, h=h))) == []


@pytest.mark.parametrize("size", [1e-4, 1e38])
def test_extremes_are_drawn_without_a_warning(size: float) -> None:
    drawn(hadamard(np.array([3.0, 1.0])) * size).figure.canvas.draw()
    drawn(hadamard(np.array([1.0])) * size).figure.canvas.draw()
