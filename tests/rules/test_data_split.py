from __future__ import annotations

from typing import Any

import pytest
from rule_histories import known
from rule_reports import fires, quiet, report, skips

from rnndiag.records import Report, Settings

RULE = "RNN506"


def split(*shares: float, used: bool | None = None) -> Report:
    settings: dict[str, Any] = {"split": known(shares)} if shares else {}
    if used is not None:
        settings["test_in_training"] = known(used)
    return report(settings=Settings(**settings))


@pytest.mark.parametrize(
    "shares", [(0.8, 0.1, 0.1), (0.7, 0.15, 0.15), (0.9, 0.05, 0.05), (0.85, 0.1, 0.05)]
)
def test_quiet_near_80_10_10(shares: tuple[float, ...]) -> None:
    quiet(RULE, split(*shares))
    quiet(RULE, split(*shares, used=False))


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ((0.8, 0.0, 0.2), "split 80 / 0 / 20: there is no validation set"),
        ((0.8, 0.2, 0.0), "split 80 / 20 / 0: there is no test set"),
        ((1.0, 0.0, 0.0), "split 100 / 0 / 0: there is no validation and no test set"),
    ],
)
def test_warns_where_a_set_is_missing(shares: tuple[float, ...], message: str) -> None:
    found = fires(RULE, split(*shares))
    assert found.severity == "warning"
    assert message in found.message


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ((0.6, 0.2, 0.2), "split 60 / 20 / 20, more than 10% away from 80% for training"),
        ((0.98, 0.01, 0.01), "split 98 / 1 / 1, more than 10% away from 80% for training"),
    ],
)
def test_fires_with_a_note_on_unusual_shares(shares: tuple[float, ...], message: str) -> None:
    found = fires(RULE, split(*shares))
    assert found.severity == "note"
    assert message in found.message
    assert found.advice[0].snippet


@pytest.mark.parametrize("shares", [(), (0.8, 0.1, 0.1), (0.8, 0.2, 0.0)])
def test_warns_of_a_test_set_that_was_used(shares: tuple[float, ...]) -> None:
    found = fires(RULE, split(*shares, used=True))
    assert (found.severity, found.message) == ("warning", "the test set had a part in training")
    assert "new data for the test" in found.advice[0].text


def test_skipped_where_the_split_is_not_known() -> None:
    assert "split in --context" in skips(RULE, report())
    assert "split in --context" in skips(RULE, split(used=False))


def test_a_threshold_can_be_set() -> None:
    quiet(RULE, split(0.6, 0.2, 0.2), thresholds={RULE: {"tolerance": 0.2}})
    quiet(RULE, split(0.6, 0.2, 0.2), thresholds={RULE: {"training": 0.6}})
