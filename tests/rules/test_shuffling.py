from __future__ import annotations

import pytest
from rule_histories import known, of_layer
from rule_reports import fires, layer, quiet, report, skips

from rnndiag.records import LayerSettings, Settings

RULE = "RNN504"


def stateful(shuffle: bool | None) -> Settings:
    return Settings(
        shuffle=None if shuffle is None else known(shuffle),
        layers={
            "lstm": LayerSettings(stateful=known(True)),
            "top": LayerSettings(stateful=known(False)),
            "other": LayerSettings(),
        },
    )


def test_quiet_where_samples_are_shuffled() -> None:
    quiet(RULE, report(settings=Settings(shuffle=known(True))))


def test_warns_of_a_fixed_order() -> None:
    found = fires(RULE, report(settings=Settings(shuffle=known(False))))
    assert (found.severity, found.confidence) == ("warning", "high")
    assert "same order in every epoch" in found.message
    assert "shuffle=True" in found.advice[0].snippet


def test_skipped_where_it_is_not_known() -> None:
    assert "shuffle in --context" in skips(RULE, report())
    assert "shuffle in --context" in skips(RULE, report(settings=of_layer(stateful=False)))


@pytest.mark.parametrize(
    ("shuffle", "message"),
    [
        (None, "lstm carries state from batch to batch"),
        (True, "lstm carries state from batch to batch, and samples are shuffled"),
        (False, "lstm carries state from batch to batch, and samples are not shuffled"),
    ],
)
def test_a_stateful_layer_gets_a_note_on_how(shuffle: bool | None, message: str) -> None:
    carrying = layer(arguments={"class_name": "LSTM", "units": 64, "stateful": True})
    found = fires(RULE, report(carrying, settings=stateful(shuffle)))
    assert (found.severity, found.message) == ("note", message)
    assert "keep the windows of each in order" in found.advice[0].text
    assert found.advice[0].snippet
