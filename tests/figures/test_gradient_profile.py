"""What the gradient's picture shows: the measured profile, its band, and the marks."""

from __future__ import annotations

import numpy as np
import pytest
from figure_subjects import draw, lines, subject, words
from layer_runs import build

from rnndiag.figures.checkpoint import gradient_profile

DECAY = np.log(0.9)


def test_the_measured_profile_is_drawn() -> None:
    (picture,) = draw(gradient_profile, subject(build(timesteps=60)))
    drawn = lines(picture)["mean of samples"].get_ydata()
    np.testing.assert_allclose(drawn, np.arange(60) * DECAY / np.log(10), atol=1e-12)
    assert picture.figure.axes[0].get_xlabel() == "steps back from the last real step"


def test_the_marks_stand_where_the_measurement_says() -> None:
    (picture,) = draw(gradient_profile, subject(build(timesteps=60), lag=50))
    found = lines(picture)
    # 0.9^43 = .0108 and 0.9^44 = .0097: the last step at which 1 % is left is the 43rd.
    assert found["span 44"].get_xdata()[0] == 43
    assert found["α = 0.01"].get_ydata()[0] == -2
    assert found["lag of the task 50"].get_xdata()[0] == 50
    slope = found["half-life 6.6, by the slope"]
    assert slope.get_ydata() == pytest.approx([0, 59 * DECAY / np.log(10)])
    assert "44 timesteps of 60" in picture.alt


def test_a_span_that_the_probe_cuts_short_is_drawn_as_such() -> None:
    (picture,) = draw(gradient_profile, subject(build(timesteps=20)))
    mark = lines(picture)["span ≥ 20 (probe ends)"]
    assert mark.get_linestyle() == "--"
    assert "at least 20 timesteps" in picture.alt


def test_the_band_is_of_the_samples_own_profiles() -> None:
    slopes = np.linspace(-1, 0, 11)
    logs = slopes[None, :, None] * np.arange(5)[::-1] * np.log(10)
    (picture,) = draw(gradient_profile, subject(build(batch=11, timesteps=5, pulse_log_norm=logs)))
    np.testing.assert_allclose(lines(picture)["median sample"].get_ydata()[-1], -2, atol=1e-9)
    (band,) = picture.figure.axes[0].collections
    path = band.get_paths()[0].vertices
    assert path[:, 1].min() == pytest.approx(-3.6)  # the tenth of the slopes, -.9, times 4
    assert path[:, 1].max() == pytest.approx(0)


def test_a_gradient_of_exactly_zero_is_a_gap() -> None:
    logs = np.broadcast_to(np.where(np.arange(30) < 20, -np.inf, 0.0), (2, 4, 30))
    (picture,) = draw(gradient_profile, subject(build(timesteps=30, pulse_log_norm=logs)))
    drawn = lines(picture)["mean of samples"].get_ydata()
    assert np.isnan(drawn[10:]).all()
    assert np.isfinite(drawn[:10]).all()


def test_what_could_not_be_followed_is_not_drawn() -> None:
    logs = np.full((2, 4, 30), -np.inf)
    assert draw(gradient_profile, subject(build(timesteps=30, pulse_log_norm=logs))) == []


def test_dollars_in_a_name_are_no_formula() -> None:
    (picture,) = draw(gradient_profile, subject(build(name="a$b$", id="a$b$")))
    picture.figure.canvas.draw()
    assert "Gradient through time: a$b$ →" in set(words(picture))
