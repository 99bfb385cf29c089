"""What the gradient's picture shows: the measured profile, its band, and the marks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from figure_subjects import draw, lines, subject, words
from layer_runs import build

from rnndiag.figures.base import Subject
from rnndiag.figures.checkpoint import gradient_profile
from rnndiag.records import Probe, ProbeRun

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


def test_the_fitted_line_lies_on_the_steps_it_was_fitted_to() -> None:
    # Up by 1.05 powers of ten in one step, then down by a tenth of one in each.
    logs = np.r_[0.0, 1.05 - 0.1 * np.arange(120)][::-1] * np.log(10)
    run = build(timesteps=121, pulse_log_norm=np.broadcast_to(logs, (2, 4, 121)))
    (picture,) = draw(gradient_profile, subject(run))
    line = lines(picture)["half-life 3.0, by the slope"]
    # The profile is under 1e-8 from step 92 on.
    assert line.get_xdata().tolist() == [0, 91]
    assert line.get_ydata() == pytest.approx([1.15, 1.15 - 9.1])
    assert "Black: the robust (Theil-Sen) slope" in picture.caption
    assert "120 steps back 1.4e-11 of it is left" in picture.alt


def test_made_up_input_is_told_on_the_picture() -> None:
    made = subject(build())
    layers = tuple(replace(layer, made_up=True) for layer in made.layers)
    (picture,) = draw(gradient_profile, replace(made, layers=layers))
    assert "made-up input" in set(words(picture))
    assert picture.caption.endswith("Made-up input: data may look different.")
    (picture,) = draw(gradient_profile, made)
    assert "ade-up" not in picture.caption


def test_a_layer_is_fed_with_data_or_not() -> None:
    made = subject(build(), build(isolated="why"))
    run = ProbeRun(
        probe=Probe(inputs=(), source="file", batch=1, timesteps=1, seeds=1),
        device="cpu",
        wiring="exact",
        layers=tuple(layer.run for layer in made.layers),
        not_analysed=(),
        outputs=(),
    )
    assert [layer.made_up for layer in Subject.of(made.report, run).layers] == [False, True]
    synthetic = replace(made.report, probe=replace(made.report.probe, source="synthetic"))
    assert [layer.made_up for layer in Subject.of(synthetic, run).layers] == [True, True]


def test_a_lag_is_met_by_a_longer_span() -> None:
    (picture,) = draw(gradient_profile, subject(build(), lag=50))
    assert "a lag of 50 is met by a span above 50" in picture.caption


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


def test_steps_that_only_samples_without_a_gradient_have() -> None:
    real = np.ones((4, 30), bool)
    real[2:, 10:] = False
    logs = np.zeros((2, 4, 30))
    logs[:, :2] = -np.inf
    (picture,) = draw(
        gradient_profile, subject(build(timesteps=30, pulse_log_norm=logs, real=real, mask=real))
    )
    assert len(lines(picture)["median sample"].get_ydata()) <= 10


def test_dollars_in_a_name_are_no_formula() -> None:
    (picture,) = draw(gradient_profile, subject(build(name="a$b$", id="a$b$")))
    picture.figure.canvas.draw()
    assert "Gradient through time: a$b$ →" in set(words(picture))
