from __future__ import annotations

from rule_histories import trained
from rule_reports import fires, quiet, report, skips

RULE = "RNN605"


def test_quiet_where_there_is_validation() -> None:
    quiet(RULE, trained((1.0, 0.5), (1.0, 0.6)))
    quiet(RULE, trained((1.0, 0.5, 0.4), (None, None, 0.6)))


def test_warns_without_any() -> None:
    found = fires(RULE, trained((1.0, 0.5, 0.4), train_column="loss"))
    assert (found.severity, found.confidence) == ("warning", "high")
    assert "not one of 3 evaluations has a validation loss" in found.message
    assert found.evidence["train_column"] == "loss"


def test_warns_where_none_is_a_number() -> None:
    fires(RULE, trained((1.0, 0.5), (None, None)))


def test_data_is_held_back_and_training_stops_by_it() -> None:
    first, second = fires(RULE, trained((1.0, 0.5))).advice
    assert "--val-column" in first.text
    assert first.snippet
    assert "patience=5" in second.snippet


def test_skipped_without_a_history() -> None:
    assert "--history" in skips(RULE, report())
