"""Units over time: who is shown, on which axes, and where lines break."""

from __future__ import annotations

import numpy as np
import pytest
from figure_subjects import draw, subject, words
from layer_runs import build

from rnndiag.figures.base import Picture
from rnndiag.figures.checkpoint import units_over_time
from rnndiag.records import Array

BATCH, STEPS, UNITS = 4, 20, 8
SIZES = np.array([0.3, 0.8, 0.1, 0.7, 0.2, 0.6, 0.5, 0.4])
"""Mean |h| of each unit: 1, 3 and 5 are the most active ones, 0, 4 and 2 the least."""


_UP = ("0.001", "1")


def states(steps: int = STEPS) -> Array:
    signs = (-1.0) ** np.arange(steps)
    return np.broadcast_to(signs[:, None] * SIZES, (BATCH, steps, UNITS))


def gradients(decay: float) -> Array:
    """2 at the last step of unit 1, less by `decay` each step back and in the other units."""
    own = 2 * decay ** np.arange(STEPS)[::-1, None] * SIZES / 0.8
    return np.broadcast_to(own, (BATCH, STEPS, UNITS))


def drawn(**changes: object) -> Picture:
    given = {"h": states(), "dL_dh": gradients(0.9), **changes}
    run = build(batch=BATCH, timesteps=STEPS, units=UNITS, **given)
    (picture,) = draw(units_over_time, subject(run))
    return picture


def line(picture: Picture, place: int, sample: str = "sample 0") -> Array:
    return next(
        np.asarray(own.get_ydata())
        for own in picture.figure.axes[place].lines
        if own.get_label() == sample
    )


def test_the_most_and_the_least_active_are_shown() -> None:
    picture = drawn()
    titles = [axes.get_title(loc="left") for axes in picture.figure.axes]
    assert titles[0] == "1 of 8: unit 1, mean |h| 0.800"
    assert titles[4] == "3 of 8: unit 5, mean |h| 0.600"
    assert titles[6] == "6 of 8: unit 0, mean |h| 0.300"
    assert titles[10] == "8 of 8: unit 2, mean |h| 0.100"
    np.testing.assert_array_equal(line(picture, 6), states()[0, :, 0])
    assert "the 3 most and the 3 least active of 8 units" in picture.caption


def test_all_units_share_their_columns_axis() -> None:
    picture = drawn()
    for column in (0, 1):
        limits = {axes.get_ylim() for axes in picture.figure.axes[column::2]}
        assert len(limits) == 1
    low, high = picture.figure.axes[0].get_ylim()
    assert low <= -0.8
    assert high >= 0.8


def test_gradients_are_over_the_largest_that_is_drawn() -> None:
    picture = drawn()
    np.testing.assert_allclose(line(picture, 1), gradients(0.9)[0, :, 1] / 2)
    assert picture.figure.axes[1].get_yscale() == "linear"
    assert "the largest is 2" in set(words(picture))
    assert picture.alt.endswith("The largest gradient drawn is 2.")


def test_gradients_that_span_powers_of_ten_are_on_a_signed_logarithmic_axis() -> None:
    picture = drawn(dL_dh=-gradients(0.1))
    scales = {axes.get_yscale() for axes in picture.figure.axes[1::2]}
    assert scales == {"symlog"}
    assert line(picture, 1)[-1] == -1
    axes = picture.figure.axes[1]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["-1", "-0.001", "0", *_UP]
    # Even on the page, not in their values.
    heights = axes.transData.transform([(0, tick) for tick in axes.get_yticks()])[:, 1]
    np.testing.assert_allclose(np.diff(heights), np.diff(heights)[0])
    assert "logarithmic down to 0.0001" in picture.caption


def test_lines_break_at_masked_steps_and_pale_at_padding() -> None:
    mask = np.ones((BATCH, STEPS), bool)
    mask[0, 3:6] = False
    real = mask.copy()
    real[0, 15:] = False
    picture = drawn(mask=mask, real=real)
    for place in (0, 1):
        np.testing.assert_array_equal(np.isfinite(line(picture, place)), real[0])
    (pale,) = [own for own in picture.figure.axes[0].lines if own.get_alpha() == 0.35]
    np.testing.assert_array_equal(np.isfinite(pale.get_ydata()), mask[0] & ~real[0])
    assert "Lines break where a step is masked or broken." in picture.caption
    assert "Pale: trailing padding" in picture.caption


def test_a_step_between_gaps_is_a_dot() -> None:
    mask = np.zeros((BATCH, STEPS), bool)
    mask[:, [4, 8, 9]] = True
    own = next(iter(drawn(mask=mask, real=mask).figure.axes[0].lines))
    np.testing.assert_array_equal(np.flatnonzero(own.get_markevery()), [4])


def test_samples_without_a_step_are_passed_over() -> None:
    mask = np.ones((BATCH, STEPS), bool)
    mask[1] = False
    labels = [own.get_label() for own in drawn(mask=mask, real=mask).figure.axes[0].lines]
    assert labels == ["sample 0", "sample 2", "sample 3"]


def test_long_sequences_show_one_sample_and_few_units_all() -> None:
    run = build("GRU", timesteps=400, units=2)
    (picture,) = draw(units_over_time, subject(run))
    assert len(picture.figure.axes) == 4
    assert [own.get_label() for own in picture.figure.axes[0].lines] == ["sample 0"]
    assert "all 2 units" in picture.caption
    assert "in 1 sample." in picture.caption


def test_a_filter_is_shown_where_it_varies_most() -> None:
    h = np.zeros((BATCH, STEPS, 3, 2))
    h[..., 2, 0] = states()[..., 0]
    h[..., 1, 1] = states()[..., 1]
    flat = h.reshape(BATCH, STEPS, 6)
    run = build("SimpleRNN", timesteps=STEPS, units=2, h=flat, dL_dh=flat, direct=flat, positions=3)
    (picture,) = draw(units_over_time, subject(run))
    np.testing.assert_array_equal(line(picture, 0), h[0, :, 1, 1])
    np.testing.assert_array_equal(line(picture, 2), h[0, :, 2, 0])
    assert "at the one of 3 positions where it varies most" in picture.caption


def test_nothing_unmasked_or_finite_shows_nothing() -> None:
    none = np.zeros((4, 20), bool)
    run = build(timesteps=20, mask=none, real=none)
    assert draw(units_over_time, subject(run)) == []
    broken = build(timesteps=20, h=np.full((4, 20, 5), np.nan))
    assert draw(units_over_time, subject(broken)) == []


@pytest.mark.parametrize("size", [0.0, 1e-300, 1e38, np.nan, np.inf])
def test_extremes_are_drawn_without_a_warning(size: float) -> None:
    h, total = states() * 1.0, gradients(0.1) * 1.0
    h[:2], total[:2] = h[:2] * size, total[:2] * size
    picture = drawn(h=h, dL_dh=total)
    picture.figure.canvas.draw()


def test_a_unit_without_a_finite_state_says_so_and_comes_last() -> None:
    h = states().copy()
    h[..., 1] = np.nan
    picture = drawn(h=h)
    assert picture.figure.axes[0].get_title(loc="left") == "1 of 8: unit 3, mean |h| 0.700"
    assert picture.figure.axes[10].get_title(loc="left") == "8 of 8: unit 1, not finite"
    assert [text.get_text() for text in picture.figure.axes[10].texts] == ["not finite"]


def test_gradients_of_which_none_is_finite_have_no_column() -> None:
    picture = drawn(dL_dh=np.full((BATCH, STEPS, UNITS), np.nan))
    assert [axes.get_ylabel() for axes in picture.figure.axes] == ["h"] * 6
    assert "no gradient is finite" in picture.caption


def test_samples_are_told_apart_where_they_lie_on_each_other() -> None:
    picture = drawn()
    styles = [own.get_linestyle() for own in picture.figure.axes[0].lines]
    assert len(styles) == 3
    assert styles[0] == "-"
    assert styles[1] != "-"
    handles = picture.figure.legends[0].legend_handles
    assert [handle.get_marker() for handle in handles] == [""] * 3  # type: ignore[union-attr]


def test_one_step_of_one_unit_is_a_dot() -> None:
    (picture,) = draw(units_over_time, subject(build("GRU", batch=1, timesteps=1, units=1)))
    picture.figure.canvas.draw()
    (own,) = picture.figure.axes[0].lines
    assert own.get_markevery().tolist() == [True]
