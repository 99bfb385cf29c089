"""What the figures of a comparison show: both profiles, and every change by its size."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from figure_subjects import lines, words
from rule_reports import layer, norms, report, span

from rnndiag import comparing, figures, judging
from rnndiag.figures.base import Picture
from rnndiag.figures.comparison import changes, gradient_profiles
from rnndiag.measurements.lyapunov import Lyapunov
from rnndiag.records import Comparison, Policy


def compared(before: dict[str, Any], after: dict[str, Any]) -> Comparison:
    judged = (judging.judge(report(layer(measurements=own)), Policy()) for own in (before, after))
    return comparing.of_reports(*judged)


def draw(module: Any, comparison: Comparison) -> Picture:
    (picture,) = figures.draw(module, comparison)
    assert isinstance(picture, Picture), picture
    return picture


def test_both_profiles_and_both_spans_are_drawn() -> None:
    short = span(span=3, log10_profile=(0.0, -1.0, -2.0, -3.0, None))
    picture = draw(gradient_profiles, compared({}, {"gradient_span": short}))
    found = lines(picture)
    after = found["after: span 3 of 100"].get_ydata()
    np.testing.assert_array_equal(after, [0, -1, -2, -3, np.nan])
    assert len(found["before: span 60 of 100"].get_ydata()) == 100
    marks = [
        line.get_xdata()[0] for line in picture.figure.axes[0].lines if len(line.get_xdata()) == 2
    ]
    assert {59, 2} <= set(marks)
    assert "60 of 100 before and 3 of 100 after" in picture.alt


def test_changes_stand_at_their_doublings_and_points() -> None:
    after = {"weight_norms": norms(recurrent=2.5, kernel=8.0)}
    picture = draw(changes, compared({}, after))
    above, below, _ = picture.figure.axes
    labels = [label.get_text() for label in above.get_yticklabels()]
    row = labels.index("‖R‖: 10 → 2.50")
    ends = [line.get_xdata()[-1] for line in above.lines if list(line.get_ydata()) == [row, row]]
    assert ends == pytest.approx([-2])  # a quarter is two halvings
    assert next(label.get_text() for label in above.get_xticklabels()) == "÷4"
    assert below.get_xlim() == (-10.5, 10.5)


def test_the_marks_are_explained() -> None:
    picture = draw(changes, compared({}, {}))
    (legend,) = picture.figure.legends
    named = [own.get_text() for own in legend.get_texts()]
    assert named == ["worse", "better", "changed", "within tolerance"]


def test_no_decay_and_the_exponent_are_shown() -> None:
    endless = span(half_life=None, decay_per_step=1.0)
    exponents = [
        Lyapunov(top=own, standard_error=0.01, asymptotic_span=None, samples=16)
        for own in (-0.5, 0.25)
    ]
    before = {"gradient_span": span(half_life=1.64), "lyapunov": exponents[0]}
    found = compared(before, {"gradient_span": endless, "lyapunov": exponents[1]})
    picture = draw(changes, found)
    above, _, below = picture.figure.axes
    assert [own.get_text() for own in above.texts] == ["no decay"]
    assert [line.get_xdata()[-1] for line in below.lines if len(line.get_xdata()) == 2][1] == 0.75


def test_the_lag_stands_in_both_profiles() -> None:
    picture = draw(gradient_profiles, replace(compared({}, {}), lag=42))
    assert lines(picture)["lag of the task 42"].get_xdata()[0] == 42


def test_what_lies_beyond_the_axis_is_named() -> None:
    picture = draw(changes, compared({}, {"weight_norms": norms(bias=2e6)}))
    assert "Beyond the axis: ‖b‖" in picture.caption


def test_layers_without_a_gradient_have_no_profile() -> None:
    found = compared({}, {})
    (pair,) = found.pairs
    bare = replace(pair.after, measurements={})
    lost = replace(found, pairs=(replace(pair, after=bare),))
    assert list(figures.draw(gradient_profiles, lost)) == []


def test_names_with_dollars_are_no_formulas() -> None:
    found = compared({}, {})
    (pair,) = found.pairs
    odd = replace(pair.after, id="a$b$")
    picture = draw(changes, replace(found, pairs=(replace(pair, after=odd),)))
    picture.figure.canvas.draw()
    assert any("a$b$" in word for word in words(picture))
