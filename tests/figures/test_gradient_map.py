"""The gradient's map: the total of every unit, and what the direct term alone would show."""

from __future__ import annotations

import numpy as np
import pytest
from figure_subjects import draw, subject
from layer_runs import build

from rnndiag.figures._maps import binned, shown_units, symlog_ticks
from rnndiag.figures.checkpoint import gradient_map


def gradients(batch: int = 4, timesteps: int = 60, units: int = 5) -> dict[str, np.ndarray]:
    """A total that halves by each step back, unlike in each unit; the direct term ends it."""
    decay = 0.5 ** np.arange(timesteps)[::-1]
    total = decay[None, :, None] * np.arange(1, units + 1) * np.ones((batch, 1, 1))
    direct = np.where(np.arange(timesteps)[:, None] == timesteps - 1, total, 0.0)
    return {"dL_dh": total, "direct": direct}


def test_both_maps_show_one_sample_on_one_scale() -> None:
    given = gradients()
    (picture,) = draw(gradient_map, subject(build(**given)))
    total, direct = (axes.images[0] for axes in picture.figure.axes[:2])
    np.testing.assert_array_equal(total.get_array(), given["dL_dh"][0].T[::-1])
    np.testing.assert_array_equal(direct.get_array(), given["direct"][0].T[::-1])
    for image in (total, direct):
        assert (image.norm.vmin, image.norm.vmax) == (-5, 5)
        assert image.norm.linthresh == pytest.approx(5e-4)


def test_the_words_count_what_each_term_reaches() -> None:
    (picture,) = draw(gradient_map, subject(build(**gradients())))
    # 2^-13 = 1.2e-4 is still within four powers of ten, 2^-14 is not.
    assert "at 14 timesteps" in picture.alt
    assert picture.alt.endswith("there at 1.")


def test_a_sample_that_no_gradient_reaches_is_passed_over() -> None:
    given = gradients()
    given["dL_dh"][0] = 0
    given["dL_dh"][1] = np.nan
    (picture,) = draw(gradient_map, subject(build(**given)))
    assert "in sample 2" in picture.caption
    none = {name: np.zeros_like(array) for name, array in given.items()}
    assert draw(gradient_map, subject(build(**none))) == []


def test_of_many_units_the_largest_are_shown() -> None:
    (picture,) = draw(gradient_map, subject(build(units=300, **gradients(units=300))))
    assert picture.figure.axes[0].images[0].get_array().shape == (256, 60)
    assert "the 256 of 300 units" in picture.caption


def test_rows_are_named_where_there_is_room() -> None:
    (picture,) = draw(gradient_map, subject(build(**gradients())))
    axes = picture.figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["4", "3", "2", "1", "0"]
    assert axes.get_ylabel() == "unit"
    (picture,) = draw(gradient_map, subject(build(units=13, **gradients(units=13))))
    axes = picture.figure.axes[0]
    assert axes.get_ylabel() == "rank by sum of |dL/dh|"
    assert all(tick == int(tick) for tick in axes.get_yticks())


def test_rows_of_a_convolution_are_positions_and_filters() -> None:
    given = gradients(units=300)
    run = build("SimpleRNN", units=3, h=np.ones((4, 60, 300)), positions=100, **given)
    (picture,) = draw(gradient_map, subject(run))
    assert "the 256 of 300 rows (3 filters at each of 100 positions)" in picture.caption
    assert picture.figure.axes[0].get_ylabel() == "position × filter, ranked"


@pytest.mark.parametrize(("below", "decades", "told"), [(1e-5, 6, False), (1e-12, 8, True)])
def test_a_direct_term_far_below_the_total_widens_the_scale(
    below: float, decades: int, told: bool
) -> None:
    given = gradients()
    given["direct"] = given["direct"] * below
    (picture,) = draw(gradient_map, subject(build(**given)))
    norm = picture.figure.axes[1].images[0].norm
    assert norm.linthresh == pytest.approx(5 * 10.0**-decades)
    assert f"over {decades} powers of ten" in picture.caption
    assert ("The direct term is below the scale." in picture.caption) == told


def test_no_tick_stands_close_to_zero() -> None:
    assert symlog_ticks(0.5, 4) == pytest.approx([-0.1, -0.01, -0.001, 0, 0.001, 0.01, 0.1])
    assert symlog_ticks(2e6, 8) == pytest.approx([-1e6, -1e4, -100, -1, 0, 1, 100, 1e4, 1e6])
    assert symlog_ticks(1e-310, 4)[0] < 0


def test_bins_keep_the_largest_with_its_sign() -> None:
    values = np.array([[0.0, -3.0, 1.0, 2.0], [1.0, np.nan, 0.0, 0.0]])
    np.testing.assert_array_equal(binned(values, 2), [[-3.0, 2.0], [np.nan, 0.0]])
    np.testing.assert_array_equal(binned(values, 4), values)
    assert shown_units(np.array([1.0, 5.0, 3.0]), 2).tolist() == [1, 2]
