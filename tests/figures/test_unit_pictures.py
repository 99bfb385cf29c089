"""Activity of units: the values as measured, their order, thresholds, and who is marked."""

from __future__ import annotations

import numpy as np
import pytest
from figure_subjects import draw, lines, subject, words
from layer_runs import build

from rnndiag.figures.base import Picture
from rnndiag.figures.checkpoint import unit_activity
from rnndiag.records import Array

BATCH, STEPS = 4, 50


def alternating(sizes: Array) -> Array:
    """(B, T, H) of units whose mean |h| and standard deviation both are `sizes`."""
    signs = (-1.0) ** np.arange(STEPS)
    return np.broadcast_to(signs[:, None] * sizes, (BATCH, STEPS, len(sizes))).copy()


def drawn(h: Array, kind: str = "GRU", **changes: object) -> Picture:
    run = build(kind, batch=BATCH, timesteps=STEPS, units=h.shape[-1], h=h, **changes)
    (picture,) = draw(unit_activity, subject(run))
    return picture


def test_units_are_sorted_by_mean_size() -> None:
    sizes = np.array([0.1, 0.4, 0.2])
    picture = drawn(alternating(sizes))
    found = lines(picture)
    np.testing.assert_allclose(found["mean |h|"].get_ydata(), [0.4, 0.2, 0.1])
    np.testing.assert_allclose(found["standard deviation of h"].get_ydata(), [0.4, 0.2, 0.1])
    above, below = picture.figure.axes
    assert above.get_yscale() == "log"
    assert [label.get_text() for label in below.get_xticklabels()] == ["1", "2", "0"]


def test_dead_and_constant_units_are_marked_beside_their_thresholds() -> None:
    h = alternating(np.array([0.5, 0.3, 1e-4, 0.0, 0.0]))
    h[..., 4] = 0.2  # it does not move, though it is not quiet
    found = lines(drawn(h))
    assert found["dead"].get_xdata().tolist() == [3, 4, 5]
    assert found["constant: deviation < 1e-06"].get_xdata().tolist() == [3, 5]
    # 2.5 % of the layer's mean, (.5 + .3 + .0001 + .2) / 5 = .2
    assert found["quiet: mean |h| ≤ 0.005"].get_ydata()[0] == pytest.approx(0.025 * 0.20002)
    assert found["still: deviation < 0.001"].get_ydata()[0] == 1e-3


def test_shares_of_extreme_values() -> None:
    h = alternating(np.array([0.5, 0.995]))
    h[:, :10, 0] = 1.0
    picture = drawn(h)
    own = lines(picture, axes=1)["share of |h| > 0.99"]
    np.testing.assert_allclose(own.get_ydata(), [1.0, 0.2])
    assert "60 % of |h| above 0.99, in the most extreme unit 100 %" in picture.alt


def test_outputs_without_bounds_say_so() -> None:
    picture = drawn(alternating(np.array([3.0, 0.5])), bounded=False)
    assert "no bounds: no value of h is extreme" in set(words(picture))
    assert "no bounds" in picture.caption
    assert not picture.figure.axes[1].lines


def test_rectified_units_are_dead_by_how_often_they_are_0() -> None:
    h = np.abs(alternating(np.array([1e-5, 2.0, 0.0])))
    h[:, ::2, 0] = 0
    picture = drawn(h, "SimpleRNN", bounded=False, rectified=True)
    below = lines(picture, axes=1)
    np.testing.assert_array_equal(below["share of h = 0"].get_ydata(), [0, 0.5, 1])
    assert below["dead: 0 on 99 % of steps"].get_ydata()[0] == 0.99
    above = lines(picture)
    assert above["dead"].get_xdata().tolist() == [3]
    # It is not by its size that such a unit is dead.
    assert not any(name.startswith(("quiet", "still")) for name in above)
    assert "0 on 99 % of steps" in picture.caption
    assert "no bounds" in picture.caption


def test_a_convolutions_units_are_its_filters() -> None:
    flat = alternating(np.array([0.1, 0.8, 0.3, 0.4]))
    run = build("GRU", batch=BATCH, timesteps=STEPS, units=2, h=flat, positions=2)
    (picture,) = draw(unit_activity, subject(run))
    # Filter 0 is at columns 0 and 2, filter 1 at 1 and 3.
    np.testing.assert_allclose(lines(picture)["mean |h|"].get_ydata(), [0.6, 0.2])
    assert "2 units over 200 steps" in picture.caption


def test_many_units_are_a_line_without_dots() -> None:
    (picture,) = draw(unit_activity, subject(build("GRU", batch=1, timesteps=3, units=200)))
    own = lines(picture)["mean |h|"]
    assert len(own.get_ydata()) == 200
    assert own.get_marker() == "None"
    assert picture.figure.axes[1].get_xlabel() == "units, the most active first"


def test_padding_that_counts_is_told() -> None:
    real = np.ones((BATCH, STEPS), bool)
    real[:, 25:] = False
    picture = drawn(alternating(np.array([0.5])), mask=np.ones_like(real), real=real)
    assert "50 % of the steps are padding that is not masked" in picture.caption


def test_what_was_not_measured_is_not_drawn() -> None:
    none = np.zeros((4, 60), bool)
    assert draw(unit_activity, subject(build(mask=none, real=none))) == []
    assert draw(unit_activity, subject(build(h=np.full((4, 60, 5), np.nan)))) == []
    assert draw(unit_activity, subject(build(batch=1, timesteps=1))) == []


@pytest.mark.parametrize("size", [0.0, 1e-300, 1e-38, 1e38])
def test_extremes_are_drawn_without_a_warning(size: float) -> None:
    picture = drawn(alternating(np.array([size, size])), bounded=False)
    picture.figure.canvas.draw()
    assert (lines(picture)["mean |h|"].get_ydata() >= 1e-8).all()
