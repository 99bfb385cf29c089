"""States: the maps as they are and row by row, one order, and what is no state hidden."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from figure_subjects import draw, subject
from layer_runs import build

from rnndiag.figures.base import Picture
from rnndiag.figures.checkpoint import states
from rnndiag.records import Array


def given(batch: int = 4, timesteps: int = 12) -> Array:
    """(B, T, 3) whose units reach 0.1, 0.8 and 0.4, half of that in the first sample."""
    ramp = np.linspace(-1, 1, timesteps)[:, None] * np.array([0.1, 0.8, 0.4])
    sizes = np.where(np.arange(batch) == 0, 0.5, 1.0)
    return sizes[:, None, None] * ramp


def drawn(h: Array, **changes: Any) -> Picture:
    batch, timesteps, units = h.shape
    run = build("GRU", batch=batch, timesteps=timesteps, units=units, h=h, **changes)
    (picture,) = draw(states, subject(run))
    return picture


def maps(picture: Picture) -> list[Any]:
    return [axes.images[0] for axes in picture.figure.axes if axes.images]


def shades(picture: Picture, place: int) -> list[list[tuple[float, float]]]:
    """From where to where each of the two shades of a map goes."""
    found = []
    for collection in picture.figure.axes[place].collections:
        ends = [path.vertices[:, 0] for path in collection.get_paths()]
        found.append([(float(own.min()), float(own.max())) for own in ends])
    return found


def test_the_left_maps_share_one_symmetric_scale() -> None:
    h = given()
    left = maps(drawn(h))[::2]
    assert len(left) == 3
    for sample, image in enumerate(left):
        assert (image.norm.vmin, image.norm.vmax) == (-0.8, 0.8)
        np.testing.assert_array_equal(image.get_array(), h[sample].T[[1, 2, 0]])


def test_in_the_right_maps_each_row_has_its_own() -> None:
    for image in maps(drawn(given()))[1::2]:
        assert (image.norm.vmin, image.norm.vmax) == (-1, 1)
        np.testing.assert_allclose(np.abs(image.get_array()).max(axis=1), 1)


def test_units_stand_in_one_order_that_the_whole_probe_gives() -> None:
    h = given()
    # Unit 0 is the largest in the samples shown, yet not over all of the probe.
    h[0, :, 0] = 0.5
    first, _, second = maps(drawn(h))[:3]
    np.testing.assert_array_equal(first.get_array()[2], h[0, :, 0])
    np.testing.assert_array_equal(second.get_array()[2], h[1, :, 0])


def test_masked_steps_are_hatched_and_padding_is_dotted() -> None:
    h = given()
    mask = np.ones(h.shape[:2], bool)
    mask[1, :3] = False
    mask[1, 5] = False
    real = mask.copy()
    real[1, 10:] = False
    h[1, 5] = np.nan
    picture = drawn(h, mask=mask, real=real)
    assert shades(picture, 2) == [[(-0.5, 2.5), (4.5, 5.5)], [(9.5, 11.5)]]
    assert shades(picture, 0) == [[], []]
    assert not np.ma.is_masked(maps(picture)[2].get_array())
    (legend,) = picture.figure.legends
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels == ["masked", "padding, not masked"]
    assert picture.alt.endswith("4 steps masked, 2 steps padding.")


def test_broken_values_are_marked_and_the_rest_is_drawn() -> None:
    h = given()
    h[0, 3, 1] = np.inf
    h[0, 4, 1] = np.nan
    picture = drawn(h)
    hidden = np.ma.getmaskarray(maps(picture)[0].get_array())
    assert np.argwhere(hidden).tolist() == [[0, 3], [0, 4]]
    assert maps(picture)[0].norm.vmax == 0.8
    assert picture.figure.legends[0].get_texts()[0].get_text() == "NaN or infinite"
    assert "2 values not finite" in picture.alt


def test_many_units_and_steps_share_pixels() -> None:
    rng = np.random.default_rng(0)
    picture = drawn(rng.uniform(-1, 1, (1, 800, 500)))
    assert maps(picture)[0].get_array().shape == (200, 360)
    assert list(maps(picture)[0].get_extent()) == [-0.5, 799.5, 499.5, -0.5]
    assert "Neighbors share a pixel" in picture.caption
    assert "Neighbors" not in drawn(given()).caption


def test_a_filter_is_shown_where_it_varies_most() -> None:
    h = np.zeros((2, 12, 2, 3))
    h[:, :, 1] = given(2)
    picture = drawn(h.reshape(2, 12, 6), positions=2)
    np.testing.assert_array_equal(maps(picture)[0].get_array(), given(2)[0].T[[1, 2, 0]])
    assert "at the one of 2 positions" in picture.caption


def test_the_order_of_a_backward_layer_is_told() -> None:
    picture = drawn(given(), direction="backward")
    assert picture.figure.axes[4].get_xlabel() == "timestep, as processed: last first"


def test_without_an_unmasked_step_there_is_nothing_to_show() -> None:
    none = np.zeros((4, 60), bool)
    assert draw(states, subject(build(mask=none, real=none))) == []


@pytest.mark.parametrize("size", [0.0, 1e-300, 1e-38, 1e38])
def test_extremes_are_drawn_without_a_warning(size: float) -> None:
    drawn(given() * size).figure.canvas.draw()


def test_nothing_finite_shows_nothing() -> None:
    assert draw(states, subject(build("GRU", h=np.full((4, 60, 5), np.nan)))) == []


def test_few_units_are_named_and_many_are_ranked() -> None:
    axes = drawn(given()).figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["1", "2", "0"]
    assert axes.get_ylabel() == "unit"
    rng = np.random.default_rng(0)
    axes = drawn(rng.uniform(-1, 1, (2, 5, 13))).figure.axes[0]
    assert axes.get_ylabel() == "rank by mean |h|"


def test_one_step_of_one_unit() -> None:
    picture = drawn(np.full((1, 1, 1), -0.5))
    picture.figure.canvas.draw()
    assert [image.get_array().tolist() for image in maps(picture)] == [[[-0.5]], [[-1]]]
