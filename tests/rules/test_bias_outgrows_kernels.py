from __future__ import annotations

import pytest
from rule_reports import fires, layer, norms, quiet, report, skips
from rule_settings import checkpoints, decayed, trained

from rnndiag.records import Measured, Report, Series

RULE = "RNN304"


def over(series: Series) -> Report:
    return trained(decayed(1e-3, 1e-3, 0.0), series=series)


def test_fires_where_biases_grow_and_kernels_do_not() -> None:
    found = fires(RULE, over(checkpoints((8, 7, 6), (10, 11, 12), (1, 2, 6))))
    assert found.severity == "warning"
    # 6 times against 1.2 times.
    assert found.measured is not None
    assert found.measured.value == pytest.approx(5.0)
    assert found.measured.name == "bias_to_kernel_growth"
    assert "grew 6 times over 3 checkpoints" in found.message
    assert found.evidence["kernel_growth"] == pytest.approx(0.75)


def test_quiet_where_all_grow_alike() -> None:
    quiet(RULE, over(checkpoints((8, 12, 16), (10, 15, 20), (1, 2, 4))))


def test_quiet_up_to_the_margin() -> None:
    quiet(RULE, over(checkpoints((8, 8, 8), (10, 10, 10), (1, 1.5, 2))))
    assert fires(RULE, over(checkpoints((8, 8, 8), (10, 10, 10), (1, 1.5, 2.01))))


def test_quiet_where_only_the_kernels_shrink() -> None:
    quiet(RULE, over(checkpoints((8, 4, 0.8), (10, 5, 1), (1, 1.2, 1.5))))
    assert fires(RULE, over(checkpoints((8, 4, 0.8), (10, 5, 1), (1, 1.2, 1.51))))


def test_the_faster_kernel_is_the_measure() -> None:
    quiet(RULE, over(checkpoints((8, 16, 24), (10, 10, 10), (1, 3, 6))))


def test_the_middle_of_the_series_does_not_count() -> None:
    quiet(RULE, over(checkpoints((8, 8, 8), (10, 10, 10), (1, 90, 1))))


def test_gaps_are_left_out_with_their_whole_checkpoint() -> None:
    series = checkpoints((8, None, 8, 8, 8), (10, 10, 10, None, 10), (1, 50, 2, 50, 3))
    found = fires(RULE, over(series))
    assert found.evidence["bias_growth"] == pytest.approx(3)
    assert found.evidence["checkpoints"] == 3


def test_biases_that_start_at_0_count_from_their_first_norm() -> None:
    found = fires(RULE, over(checkpoints((8, 8, 8, 8), (9, 9, 9, 9), (0.0, 1, 2, 4))))
    assert found.evidence["bias_growth"] == pytest.approx(4)


def test_skipped_with_fewer_than_three_checkpoints() -> None:
    assert "2 checkpoints" in skips(RULE, over(checkpoints((8, 8), (9, 9), (1, 9))))
    gaps = checkpoints((8, None, 8), (9, 9, 9), (1, 5, 9))
    assert "2 checkpoints" in skips(RULE, over(gaps))


def test_skipped_without_biases() -> None:
    assert "no biases" in skips(RULE, over(checkpoints((8, 8, 8), (9, 9, 9))))


def test_skipped_without_a_series_or_with_that_of_another_network() -> None:
    assert "--series" in skips(RULE, report())
    other = checkpoints((8, 8, 8), (9, 9, 9), (1, 5, 9), name="lstm/backward")
    assert "does not have this layer" in skips(RULE, over(other))


def test_each_direction_has_its_own_series() -> None:
    series = checkpoints((8, 8, 8), (9, 9, 9), (1, 5, 9), name="lstm/backward")
    made = trained(decayed(1e-3, 1e-3), layer(direction="backward"), series=series)
    assert fires(RULE, made).direction == "backward"


def test_the_biases_get_the_smaller_decay_of_the_kernels() -> None:
    series = checkpoints((8, 8, 8), (10, 10, 10), (1, 5, 9))
    bare = layer(measurements={"weight_norms": norms(bias=9.0)})
    found = fires(RULE, trained(decayed(1e-3, 2e-4, 0.0), bare, series=series))
    assert "biases by 2e-4" in found.advice[0].text
    assert "at 4.5 (9 now)" in found.advice[1].text
    assert found.measured == Measured(name="bias_to_kernel_growth", value=9.0, worse="higher")
