"""Saturation and timescales: a point for each unit, where its gates say it has to be."""

from __future__ import annotations

import numpy as np
import pytest
from figure_subjects import draw, lines, subject
from layer_runs import build
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from rnndiag.figures._style import YELLOW
from rnndiag.figures.checkpoint import gate_activity, timescale


def gates(kind: str, **given: np.ndarray) -> dict[str, np.ndarray]:
    """Each gate constant over samples and steps at the values of its units; the others at .5."""
    names = {"LSTM": ("input", "forget", "candidate", "output"), "GRU": ("update", "reset")}[kind]
    units = len(next(iter(given.values())))
    middle = np.full(units, 0.5)
    names = (*names, "candidate") if kind == "GRU" else names
    return {name: np.broadcast_to(given.get(name, middle), (4, 60, units)) for name in names}


def test_a_point_is_a_units_share_at_either_end() -> None:
    values = gates("LSTM", forget=np.array([0.05, 0.5, 0.95, 0.97, 0.99]))
    (picture,) = draw(gate_activity, subject(build(gate_values=values)))
    forget = picture.figure.axes[1]
    assert forget.get_title(loc="left") == "forget: 1 low of 5"
    points = forget.lines[-1]
    np.testing.assert_array_equal(points.get_xdata(), [0, 0, 1, 1, 1])
    np.testing.assert_array_equal(points.get_ydata(), [1, 0, 0, 0, 0])
    assert "forget 20 % low; candidate" in picture.alt


def test_a_candidate_has_its_own_low_end() -> None:
    values = gates("GRU", candidate=np.array([-0.95, 0.05, 0.95, 0.0, 0.0]))
    (picture,) = draw(gate_activity, subject(build("GRU", gate_values=values)))
    titles = [axes.get_title(loc="left") for axes in picture.figure.axes]
    assert "candidate: 1 low, 1 high of 5" in titles


def bands(axes: Axes) -> int:
    return sum(patch.get_facecolor()[:3] == to_rgb(YELLOW) for patch in axes.patches)


def test_a_gate_that_keeps_the_state_is_not_stuck_when_open() -> None:
    (picture,) = draw(gate_activity, subject(build()))
    assert [bands(axes) for axes in picture.figure.axes] == [2, 1, 2, 2]
    assert "The forget gate may be open all the time" in picture.caption
    (picture,) = draw(gate_activity, subject(build("GRU", bounded=False)))
    assert [bands(axes) for axes in picture.figure.axes[:3]] == [1, 2, 0]
    assert picture.figure.axes[2].get_title(loc="left") == "candidate: unbounded"


def test_cells_without_gates_have_no_such_pictures() -> None:
    run = build("SimpleRNN")
    assert draw(gate_activity, subject(run)) == []
    assert draw(timescale, subject(run)) == []


def test_timescales_are_sorted_on_a_log_axis() -> None:
    keep = np.exp(-1 / np.array([100.0, 1.0, 10.0, 1000.0, 2.0]))
    values = gates("LSTM", forget=keep)
    (picture,) = draw(timescale, subject(build(gate_values=values), lag=40))
    found = lines(picture)
    assert found["5 units"].get_xdata() == pytest.approx([1, 2, 10, 100, 1000])
    assert found["5 units"].get_ydata() == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert found["median 10.0"].get_xdata()[0] == pytest.approx(10)
    assert found["lag of the task 40"].get_xdata()[0] == 40
    assert found["sequence of 60"].get_xdata()[0] == 60
    assert picture.figure.axes[0].get_xscale() == "log"
    assert "2 of 5 units" in picture.alt


def test_gates_always_open_or_shut_stand_at_the_axis_end() -> None:
    values = gates("LSTM", forget=np.array([0.0, 0.0, 0.5, 1.0, 1.0]))
    (picture,) = draw(timescale, subject(build(gate_values=values)))
    assert lines(picture)["5 units"].get_xdata() == pytest.approx(
        [0.05, 0.05, 1 / np.log(2), 1e6, 1e6]
    )
    assert "2 units above and 2 below stand at the axis's ends" in picture.caption


def test_thousands_of_units_are_thinned_and_said_to_be() -> None:
    run = build(units=2100, batch=1, timesteps=3)
    (picture,) = draw(gate_activity, subject(run))
    assert len(picture.figure.axes[0].lines[-1].get_xdata()) == 1050
    assert "more than 2000 units" in picture.caption
