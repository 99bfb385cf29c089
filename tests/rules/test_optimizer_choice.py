from __future__ import annotations

import pytest
from rule_reports import fires, quiet, report, skips

from rnndiag.records import Report, Setting, Settings

RULE = "RNN412"


def trained(optimizer: str | None, rate: float | None = None, decay: float | None = None) -> Report:
    known = Settings(
        optimizer=None if optimizer is None else Setting(value=optimizer, source="config"),
        learning_rate=None if rate is None else Setting(value=rate, source="config"),
        weight_decay=None if decay is None else Setting(value=decay, source="config"),
    )
    return report(settings=known)


@pytest.mark.parametrize("optimizer", ["Adam", "SGD", "RMSprop", "Lion", "MyOwn", "Adam or SGD"])
def test_fires_on_any_other(optimizer: str) -> None:
    found = fires(RULE, trained(optimizer))
    assert (found.severity, found.confidence) == ("note", "high")
    assert optimizer in found.message


@pytest.mark.parametrize("optimizer", ["Nadam", "NadamW", "AdamW"])
def test_quiet_on_the_recommended(optimizer: str) -> None:
    quiet(RULE, trained(optimizer))


def test_skipped_where_it_is_not_known_or_left_open() -> None:
    assert "--context" in skips(RULE, trained(None))
    assert "Adam or AdamW" in skips(RULE, trained("Adam or AdamW"))


@pytest.mark.parametrize(
    ("optimizer", "rate", "wanted"),
    [("Adam", 5e-3, "5e-3"), ("SGD", 0.1, "1e-3"), ("Adam", None, "1e-3")],
)
def test_the_learning_rate_fits_the_new_optimizer(
    optimizer: str, rate: float | None, wanted: str
) -> None:
    found = fires(RULE, trained(optimizer, rate))
    assert f"keras.optimizers.Nadam(learning_rate={wanted}" in found.advice[0].snippet
    assert f"keras.optimizers.AdamW(learning_rate={wanted}" in found.advice[1].snippet


@pytest.mark.parametrize(
    ("decay", "wanted"), [(None, "weight_decay=1e-4"), (0.0, "1e-4"), (0.01, "0.01")]
)
def test_adamw_keeps_a_known_decay(decay: float | None, wanted: str) -> None:
    assert wanted in fires(RULE, trained("Adam", decay=decay)).advice[1].snippet
