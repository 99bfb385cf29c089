"""Decays fitted to matrices, and how they are written."""

from __future__ import annotations

import pytest
from rule_reports import norms

from rnndiag import decays


def test_the_larger_norm_gets_the_value_and_the_other_its_share() -> None:
    fit = decays.fitted(norms(kernel=5.0, recurrent=10.0), 1e-3)
    assert (fit.kernel, fit.recurrent, fit.bias) == (5e-4, 1e-3, 5e-4)
    assert "‖K‖ = 5" in fit.reason


def test_shares_are_rounded_to_1_2_5() -> None:
    # 3/10 of 1e-4 is 3e-5: ln(3/2) = .41 is less than ln(5/3) = .51.
    assert decays.fitted(norms(kernel=10.0, recurrent=3.0)).recurrent == 2e-5


def test_no_share_is_smaller_than_a_tenth() -> None:
    assert decays.fitted(norms(kernel=1000.0, recurrent=1.0)).recurrent == 1e-5


def test_matrices_of_zeros_get_the_value_both() -> None:
    fit = decays.fitted(norms(kernel=0.0, recurrent=0.0))
    assert (fit.kernel, fit.recurrent) == (1e-4, 1e-4)


def test_shapes_in_the_place_of_norms() -> None:
    fit = decays.fitted_to_shapes(16, 32, 1e-3)
    assert (fit.kernel, fit.recurrent, fit.bias) == (5e-4, 1e-3, 5e-4)
    assert "16 and 32" in fit.reason


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e-4, "1e-4"),
        (0.0001 * 10, "1e-3"),
        (2.5e-3, "2.5e-3"),
        (1.234e-5, "1.23e-5"),
        (0.00099999, "1e-3"),
        (0.0099999, "0.01"),
        (0.01, "0.01"),
        (0.25, "0.25"),
        (1.0, "1"),
        (0.0, "0"),
    ],
)
def test_written_as_people_write_them(value: float, text: str) -> None:
    assert decays.written(value) == text
