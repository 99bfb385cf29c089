"""Norms, spans and shares over a run: what is drawn, on which scales, and where it is broken."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from figure_subjects import draw, lines, words
from training_courses import KEY, course, gap, point

from rnndiag.figures._style import PARTS, SEVERITIES
from rnndiag.figures.base import Picture
from rnndiag.figures.training import activity, norms, spans
from rnndiag.records import Course, Growth, Norms, Point, Reach

FIGURES = (norms, spans, activity)


def one(figure: Any, made: Course) -> Picture:
    (picture,) = draw(figure, made)
    return picture


def by_color(picture: Picture, color: str) -> Any:
    (found,) = (own for own in picture.figure.axes[0].lines if own.get_color() == color)
    return found


def spanning(*reaches: Reach | None, **changes: Any) -> Course:
    points = [point(k, reach=reach) for k, reach in enumerate(reaches)]
    return course(points, **changes)


def reach(span: int, censored: bool = False) -> Reach:
    return Reach(span=span, censored=censored, timesteps=20)


# ---------------------------------------------------------------- norms


def test_each_part_in_its_color_on_a_log_axis() -> None:
    picture = one(norms, course())
    axes = picture.figure.axes[0]
    assert axes.get_yscale() == "log"
    for part, expected in (("kernel", [4, 4, 4]), ("recurrent", [8, 8, 8]), ("bias", [0.5, 1, 2])):
        line = by_color(picture, PARTS[part])
        assert line.get_xdata().tolist() == [1, 2, 3]
        assert line.get_ydata().tolist() == expected
    assert axes.get_xlabel() == "epoch"
    assert axes.get_ylabel() == "Frobenius norm"
    assert "‖b‖  × 4.00, +100 % per epoch" in set(words(picture))
    assert "‖b‖ goes from 0.50 to 2.00" in picture.alt


def test_a_finding_of_the_series_stands_where_it_began() -> None:
    picture = one(norms, course())
    line = by_color(picture, SEVERITIES["warning"])
    assert list(line.get_xdata()) == [2, 2]
    assert "RNN304 bias-outgrows-kernels from epoch 2 on (epoch-2.pt)" in lines(picture)
    assert "Marked: RNN304" in picture.alt


def test_a_finding_elsewhere_or_of_unknown_beginning_is_not_marked() -> None:
    (told,) = course().findings
    elsewhere = replace(told, finding=replace(told.finding, direction="backward"))
    for own in (elsewhere, replace(told, since=None)):
        assert "Marked" not in one(norms, course(findings=(own,))).alt


def test_a_file_left_out_breaks_the_line() -> None:
    picture = one(norms, course(gaps=(gap(1), gap(1, "b.pt"), gap(3), gap(None))))
    line = by_color(picture, PARTS["bias"])
    np.testing.assert_array_equal(line.get_xdata(), [1, 1.5, 2, 3, 3.5])
    np.testing.assert_array_equal(line.get_ydata(), [0.5, np.nan, 1, 2, np.nan])
    low, high = picture.figure.axes[0].get_xlim()
    assert low < 1 < 3.5 < high
    assert "dotted line is a file that was left out" in picture.caption
    assert "left out: a gap" in lines(picture)


def test_norms_of_zero_or_unknown_are_gaps() -> None:
    picture = one(norms, course([point(0, 0.0), point(1, None), point(2, 3.0)]))
    drawn = by_color(picture, PARTS["bias"]).get_ydata()
    np.testing.assert_array_equal(drawn, [np.nan, np.nan, 3])


def test_a_small_change_does_not_fill_the_picture() -> None:
    points = [point(k, 4 + k / 100, norms=Norms(kernel=4.0, recurrent=4.1)) for k in range(3)]
    low, high = one(norms, course(points)).figure.axes[0].get_ylim()
    assert high / low == pytest.approx(3)


def test_names_stand_for_moments_where_nothing_else_does() -> None:
    picture = one(norms, course(axis="checkpoint"))
    assert picture.figure.axes[0].get_xlabel() == "checkpoint, by name from epoch-1.pt"
    assert "‖b‖  × 4.00, +100 % per checkpoint" in set(words(picture))


# ---------------------------------------------------------------- spans


def test_spans_with_the_lag_and_the_end_of_the_probe() -> None:
    picture = one(spans, spanning(reach(3), reach(12), reach(20, censored=True), lag=18))
    axes = picture.figure.axes[0]
    own = lines(picture)
    assert own["span at α = 0.01"].get_ydata().tolist() == [3, 12, 20]
    assert own["at least (the probe ends)"].get_xdata().tolist() == [3]
    assert own["at least (the probe ends)"].get_ydata().tolist() == [20]
    assert list(own["length of the probe 20"].get_ydata()) == [20, 20]
    assert list(own["lag of the task 18"].get_ydata()) == [18, 18]
    assert axes.get_ylim()[0] == 0
    assert picture.alt.startswith("A line: the span goes from 3 to at least 20 of 20 timesteps.")


def test_spans_that_are_not_known_are_gaps() -> None:
    picture = one(spans, spanning(reach(3), None, reach(5)))
    np.testing.assert_array_equal(lines(picture)["span at α = 0.01"].get_ydata(), [3, np.nan, 5])
    assert "at least (the probe ends)" not in lines(picture)


def test_a_lag_beyond_the_probe_is_to_be_seen() -> None:
    picture = one(spans, spanning(reach(3), reach(5), lag=90))
    assert picture.figure.axes[0].get_ylim()[1] > 90


def test_a_single_span_is_no_course() -> None:
    assert draw(spans, spanning(None, reach(3))) == []


# ---------------------------------------------------------------- shares


def test_shares_in_percent() -> None:
    points = [point(k, dead=k / 10, extreme=0.5, stuck=None) for k in range(3)]
    picture = one(activity, course(points))
    assert lines(picture)["dead units"].get_ydata().tolist() == pytest.approx([0, 10, 20])
    assert lines(picture)["extreme values"].get_ydata().tolist() == [50, 50, 50]
    assert "stuck units of the worst gate" not in lines(picture)
    low, high = picture.figure.axes[0].get_ylim()
    assert low < 0 < 50 < high
    assert "dead units from 0 % to 20 %" in picture.alt


def test_nothing_is_drawn_where_no_share_is_ever_above_0() -> None:
    points = [point(k, dead=0.0, extreme=0.0, stuck=0.0) for k in range(3)]
    assert draw(activity, course(points)) == []


# ---------------------------------------------------------------- edges


def extremes(k: int) -> Point:
    sizes = Norms(kernel=1e-300, recurrent=1e38, bias=1e308)
    return point(k, norms=sizes, dead=1.0, extreme=1.0, stuck=1.0)


GROWTHS: Any = {part: Growth(first=1e-300, last=1e300, rate=999.0) for part in PARTS}
EDGES = {
    "the same moment": course([replace(point(k), step=7.0) for k in range(2)]),
    "one gap between two": course([point(0), point(1)], gaps=(gap(0), gap(1), gap(2))),
    "extreme sizes": course([extremes(0), extremes(1)], growth=GROWTHS),
    "a long run": course([point(k) for k in range(3000)]),
    "steps": course([replace(point(k), step=k * 1e6) for k in range(9)], axis="step"),
    "an odd name": course(
        [replace(point(k), path=f"run/$\\frac{k}$_{'x' * 90}.pt") for k in range(3)],
        axis="checkpoint",
    ),
    "nothing known": course(
        [
            replace(point(k), layers={KEY: replace(point(k).layers[KEY], norms=Norms())})
            for k in (0, 1)
        ],
        growth={},
    ),
}


@pytest.mark.parametrize("name", EDGES)
@pytest.mark.parametrize("figure", FIGURES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_edges_are_drawn_without_a_warning(name: str, figure: Any, tmp_path: Any) -> None:
    for picture in draw(figure, EDGES[name]):
        picture.figure.savefig(tmp_path / "x.png", dpi=50)
        assert picture.caption
        assert picture.alt
