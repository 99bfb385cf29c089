from __future__ import annotations

from rule_histories import known, trained
from rule_reports import fires, quiet, report, skips

from rnndiag.records import Measured, Settings

RULE = "RNN604"
TRAIN = (1.0,) * 8


def past(evaluations: int, last: float = 0.6) -> tuple[float, ...]:
    """Best at epoch 1, and `evaluations` after it."""
    return (1.0, 0.5, *(0.55,) * (evaluations - 1), last)


def test_quiet_where_the_best_is_recent() -> None:
    quiet(RULE, trained((), past(5)))
    quiet(RULE, trained((), (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4)))


def test_fires_where_the_best_is_long_ago() -> None:
    found = fires(RULE, trained(TRAIN, past(6)))
    assert found.severity == "warning"
    assert found.measured == Measured(name="evaluations_since_best", value=6.0, worse="higher")
    assert "validation was best (0.5) at epoch 1, 6 evaluations ago, more than 5" in found.message
    assert "20% higher" in found.message


def test_quiet_where_the_end_is_hardly_worse() -> None:
    quiet(RULE, trained((), (200.0, 100.0, *(120.0,) * 8, 101.0)))
    fires(RULE, trained((), (200.0, 100.0, *(120.0,) * 8, 101.1)))


def test_losses_below_zero_are_judged_alike() -> None:
    fires(RULE, trained((), (-1.0, -2.0, *(-1.5,) * 6)))
    quiet(RULE, trained((), (-1.0, -2.0, *(-1.99,) * 6)))


def test_a_best_of_zero_has_no_share() -> None:
    quiet(RULE, trained((), (1.0, 0.0, *(0.5,) * 6)))


def test_the_first_of_equal_bests_counts() -> None:
    assert fires(RULE, trained((), (0.5, *(0.5,) * 6, 0.7))).evidence["best_epoch"] == 0


def test_quiet_where_the_file_is_of_the_best_epoch() -> None:
    quiet(RULE, trained(TRAIN, past(6), Settings(epochs=known(2, "checkpoint"))))
    assert fires(RULE, trained(TRAIN, past(6))).confidence == "medium"
    last = Settings(epochs=known(8, "checkpoint"))
    assert fires(RULE, trained(TRAIN, past(6), last)).confidence == "high"


def test_the_way_back_is_told() -> None:
    found = fires(RULE, trained((), past(6)))
    assert "go back to epoch 1" in found.advice[0].text
    assert "patience=5" in found.advice[1].snippet
    assert "restore_best_weights=True" in found.advice[1].snippet


def test_steps_are_not_called_epochs() -> None:
    found = fires(RULE, trained((), past(6), axis="step", epochs=tuple(range(0, 800, 100))))
    assert "at step 100, 6 evaluations ago" in found.message


def test_skipped_without_validation_losses() -> None:
    assert "--val-column" in skips(RULE, trained(TRAIN))
    assert "fewer than 3" in skips(RULE, trained((), (1.0, 2.0)))
    assert "--history" in skips(RULE, report())


def test_a_threshold_can_be_set() -> None:
    quiet(RULE, trained((), past(6)), thresholds={RULE: {"evaluations": 10}})
    quiet(RULE, trained((), past(6)), thresholds={RULE: {"rise": 0.25}})
