"""The grid of findings: a row for each rule and layer, a column for each checkpoint."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from figure_subjects import draw, words
from matplotlib.colors import to_rgba
from training_courses import OUTGROWS, course, gap, point

from rnndiag.figures._style import SEVERITIES
from rnndiag.figures.base import Picture
from rnndiag.figures.training import findings
from rnndiag.records import Course, Said

ERROR = Said(rule="RNN301", name="non-finite-values", severity="error")
NOTE = Said(rule="RNN410", name="normalization-missing", severity="note")


def told(*each: tuple[Said, ...], **changes: Any) -> Course:
    """A checkpoint for each tuple of what was found at it."""
    points = [replace(point(k), said=said) for k, said in enumerate(each)]
    return course(points, **changes)


def one(made: Course) -> Picture:
    (picture,) = draw(findings, made)
    return picture


def cells(picture: Picture) -> list[list[str]]:
    """The names of the colors, row by row."""
    (mesh,) = picture.figure.axes[0].collections[:1]
    shape = mesh.get_array().shape
    mesh.update_scalarmappable()
    names = {to_rgba(color): name for name, color in SEVERITIES.items()}
    found = [names[tuple(color)] for color in mesh.get_facecolor()]
    return np.array(found).reshape(shape).tolist()


def test_a_row_for_each_rule_the_worst_first() -> None:
    picture = one(told((NOTE,), (NOTE, OUTGROWS), (OUTGROWS, ERROR)))
    assert cells(picture) == [
        ["passed", "passed", "error"],
        ["passed", "warning", "warning"],
        ["note", "note", "passed"],
    ]
    axes = picture.figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "non-finite-values\nRNN301 network",
        "bias-outgrows-kernels\nRNN304 lstm →",
        "normalization-missing\nRNN410 network",
    ]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "2", "3"]
    assert axes.get_xlabel() == "epoch"
    assert {"error", "warning", "note", "not found"} <= set(words(picture))
    assert "not judged, or a gap" not in set(words(picture))


def test_gaps_and_what_was_not_judged_have_no_color() -> None:
    made = told((NOTE,), (NOTE,), gaps=(gap(1), gap(None)))
    points = (*made.points[:1], replace(made.points[1], judged="series", said=()))
    picture = one(replace(made, points=points))
    assert cells(picture) == [["note", "unsaid", "unsaid"]]
    assert "not judged, or a gap" in set(words(picture))


def test_a_finding_that_got_worse_is_one_row() -> None:
    picture = one(told((replace(OUTGROWS, severity="note"),), (OUTGROWS,)))
    assert cells(picture) == [["note", "warning"]]


def test_the_same_rule_at_two_layers_is_two_rows() -> None:
    other = replace(OUTGROWS, direction="backward")
    assert len(cells(one(told((OUTGROWS, other), ())))) == 2


def test_nothing_found_nothing_drawn() -> None:
    assert draw(findings, told((), ())) == []


def test_many_rows_are_cut_and_that_is_said() -> None:
    many = tuple(replace(NOTE, layer=f"l{k}", direction="forward") for k in range(30))
    picture = one(told((*many, ERROR), many))
    assert len(cells(picture)) == 20
    assert cells(picture)[0] == ["error", "passed"]
    assert "11 more rows with less severe findings left out" in picture.caption


def test_of_many_checkpoints_the_worst_of_neighbors_is_shown() -> None:
    each = [(NOTE,)] * 1000
    each[501] = (replace(NOTE, severity="error"),)
    picture = one(told(*each))
    (row,) = cells(picture)
    assert len(row) == 240
    assert row.count("error") == 1
    assert row.index("error") == pytest.approx(501 * 0.24, abs=1)
    assert "the worst shown" in picture.caption
    ticks = picture.figure.axes[0].get_xticks()
    assert 0 < min(ticks) < max(ticks) < 240
    picture.figure.canvas.draw()


def test_names_may_be_long_and_hold_dollars() -> None:
    odd = replace(OUTGROWS, layer="$\\frac{" + "x" * 99)
    picture = one(told((odd,), ()))
    (label,) = picture.figure.axes[0].get_yticklabels()
    assert max(map(len, label.get_text().splitlines())) < 42
    picture.figure.canvas.draw()


def test_the_alt_text_names_the_last_findings() -> None:
    assert "At the last checkpoint: warning RNN304 bias-outgrows-kernels." in one(course()).alt
