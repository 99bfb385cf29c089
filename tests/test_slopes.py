"""Robust slopes, on points whose slopes are told by hand."""

from __future__ import annotations

import numpy as np
import pytest

from rnndiag.slopes import theil_sen


def test_the_median_of_the_slopes_between_all_pairs() -> None:
    """Of the pairs (0, 1), (0, 3), (1, 3): 1, 1/3, 0."""
    assert theil_sen(np.array([0, 1, 3]), np.array([0.0, 1.0, 1.0])) == pytest.approx(1 / 3)


def test_a_few_points_that_are_off_move_nothing() -> None:
    x = np.arange(20.0)
    y = 3 - 0.5 * x
    y[[4, 11]] += 100, -1000
    assert theil_sen(x, y) == pytest.approx(-0.5)


def test_points_at_one_place_have_no_slope_between_them() -> None:
    """Of (0, 0), (0, 7), (1, 2): 2 and -5."""
    assert theil_sen(np.array([0, 0, 1]), np.array([0.0, 7.0, 2.0])) == pytest.approx(-1.5)


@pytest.mark.parametrize("x", [[], [1.0], [2.0, 2.0]])
def test_there_is_none_without_two_places(x: list[float]) -> None:
    assert theil_sen(np.array(x), np.zeros(len(x))) is None
