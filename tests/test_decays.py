"""Decays fitted to matrices, and how they are written."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from rule_reports import norms
from rule_settings import decayed

from rnndiag import decays
from rnndiag.records import LayerSettings


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


@pytest.mark.parametrize("own", [decayed(), decayed(0.0, 0.0, 0.0), decayed(0.0)])
def test_without_a_known_decay_the_next_one_is_fitted(own: LayerSettings) -> None:
    assert decays.next_decay(own, norms()) == decays.fitted(norms())
    assert decays.next_decay(own, norms(), start=1e-3) == decays.fitted(norms(), 1e-3)


@pytest.mark.parametrize(
    ("now", "raising", "after"),
    [
        ((1e-4, 2e-4), decays.MATRICES, (1e-3, 2e-3)),
        ((3e-4, 3e-4), decays.MATRICES, (3e-3, 3e-3)),
        ((1e-3, 5e-3), decays.MATRICES, (2e-3, 1e-2)),  # together, by as much as there is room
        ((1e-4, 2e-4), ("recurrent",), (1e-4, 2e-3)),
        ((0.0, 2e-4), ("recurrent",), (0.0, 2e-3)),
        ((0.0, 2e-4), decays.MATRICES, (1e-4, 2e-3)),
        ((None, 2e-4), ("recurrent",), (1e-4, 2e-3)),
        ((2e-2, 1e-3), decays.MATRICES, (2e-2, 1e-2)),
        ((1e-7, 1e-4), decays.MATRICES, (1e-4, 1e-3)),  # no less than fitted
    ],
)
def test_known_decays_are_raised(
    now: tuple[float | None, float], raising: Sequence[str], after: tuple[float, float]
) -> None:
    found = decays.next_decay(decayed(*now), norms(), raising=raising)
    assert found is not None
    assert (found.kernel, found.recurrent, found.bias) == (*after, min(after))
    assert found.raised


def test_at_the_top_there_is_no_next_one() -> None:
    assert decays.next_decay(decayed(1e-2, 0.05), norms()) is None
    assert decays.next_decay(decayed(1e-4, 1e-2), norms(), raising=("recurrent",)) is None
    further = decays.next_decay(decayed(1e-2, 1e-2), norms(), top=1.0)
    assert further is not None
    assert (further.kernel, further.recurrent) == (0.1, 0.1)


def test_a_bias_keeps_the_decay_that_it_has_up_to_that_of_the_kernels() -> None:
    for bias, after in ((1e-5, 1e-5), (0.0, 1e-3), (0.5, 1e-3)):
        found = decays.next_decay(decayed(1e-4, 2e-4, bias), norms())
        assert found is not None
        assert found.bias == after


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
