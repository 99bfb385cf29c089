from __future__ import annotations

import pytest
from rule_reports import fires, quiet, skips
from rule_settings import checkpoints, decayed, trained

RULE = "RNN306"
FALLEN = checkpoints((8, 4, 2), (10, 9, 8), (1, 1, 1))


def test_fires_where_a_norm_falls_many_times() -> None:
    found = fires(RULE, trained(decayed(1e-2, 1e-2, 0.0), series=FALLEN))
    assert (found.severity, found.confidence) == ("warning", "high")
    assert "the norm of the kernel fell from 8 to 2 (-75.0%)" in found.message
    assert "recurrent" not in found.message
    assert found.measured is not None
    assert (found.measured.value, found.measured.worse) == (pytest.approx(0.25), "lower")


def test_both_matrices_are_named() -> None:
    both = checkpoints((8, 4, 2), (10, 5, 1))
    found = fires(RULE, trained(decayed(1e-2, 1e-2), series=both))
    assert "recurrent kernel fell from 10 to 1" in found.message
    assert found.measured is not None
    assert found.measured.value == pytest.approx(0.1)


@pytest.mark.parametrize("last", [3.0, 8.0, 30.0])
def test_quiet_down_to_a_third(last: float) -> None:
    quiet(RULE, trained(decayed(1e-2, 1e-2), series=checkpoints((9, 5, last), (9, 5, last))))


def test_quiet_where_there_was_no_decay() -> None:
    quiet(RULE, trained(decayed(0.0, 1e-2), series=FALLEN))


def test_a_decay_that_is_not_known_leaves_doubt() -> None:
    found = fires(RULE, trained(series=FALLEN))
    assert found.confidence == "medium"
    assert "1e-4 on the kernel" in found.advice[0].text


def test_what_fell_gets_a_tenth_and_the_other_keeps_its_decay() -> None:
    found = fires(RULE, trained(decayed(1e-2, 5e-3, 2e-3), series=FALLEN))
    assert "1e-3 on the kernel, 5e-3 on the recurrent kernel" in found.advice[0].text
    # Biases get no more than either kernel.
    assert found.advice[0].snippet.count("L2(1e-3)") == 2
    assert "L2(5e-3)" in found.advice[0].snippet


def test_undecayed_biases_stay_so() -> None:
    found = fires(RULE, trained(decayed(1e-2, 1e-2, 0.0), series=FALLEN))
    assert "bias_regularizer" not in found.advice[0].snippet


def test_a_collapse_to_zero_is_seen_at_the_last_norm_that_is_not() -> None:
    series = checkpoints((8, 4, 1, 0.0), (10, 9, 8, 8))
    assert fires(RULE, trained(series=series)).evidence["checkpoints"] == 3


def test_skipped_without_enough_checkpoints() -> None:
    assert "--series" in skips(RULE, trained())
    assert "2 checkpoints" in skips(RULE, trained(series=checkpoints((8, 1), (8, 1))))
