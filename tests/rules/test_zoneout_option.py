from __future__ import annotations

from dataclasses import replace

import pytest
from rule_reports import fires, layer, quiet, report, skips

from rnndiag.records import History, LayerSettings, Report, Setting, Settings, Surrounding

RULE = "RNN413"
OVERFITTED = ((1.0, 0.6, 0.4, 0.3), (1.0, 0.8, 0.9, 1.2))
FITTED = ((1.0, 0.6, 0.4, 0.3), (1.0, 0.6, 0.42, 0.32))


def regularized(
    rate: float | None = 0.2,
    kind: str = "LayerNormalization",
    losses: tuple[tuple[float, ...], tuple[float, ...]] | None = None,
) -> Report:
    known = None if rate is None else Setting(value=rate, source="config")
    return report(
        network=(Surrounding(name="lstm", kind="LSTM"), Surrounding(name="other", kind=kind)),
        settings=Settings(layers={"lstm": LayerSettings(recurrent_dropout=known)}),
        history=losses and history(*losses),
    )


def history(train: tuple[float, ...], validation: tuple[float, ...]) -> History:
    return History(
        source="history.csv",
        epochs=tuple(float(epoch) for epoch in range(len(train))),
        axis="epoch",
        train=train,
        validation=validation,
    )


def test_fires_where_a_regularized_network_overfits() -> None:
    found = fires(RULE, regularized(losses=OVERFITTED))
    assert found.severity == "note"
    assert "300% above" in found.message
    assert "0.1" in found.advice[0].snippet


def test_quiet_where_it_does_not() -> None:
    quiet(RULE, regularized(losses=FITTED))
    quiet(RULE, regularized(rate=0.5, losses=FITTED))


@pytest.mark.parametrize("rate", [0.3, 0.5])
def test_fires_without_a_history_at_the_end_of_the_ladder(rate: float) -> None:
    found = fires(RULE, regularized(rate))
    assert (found.severity, found.confidence) == ("note", "low")


@pytest.mark.parametrize("rate", [0.1, 0.2, 0.4])
def test_quiet_without_a_history_while_there_is_a_next_rung(rate: float) -> None:
    quiet(RULE, regularized(rate))


def test_quiet_before_the_usual_steps() -> None:
    quiet(RULE, regularized(rate=0.0, losses=OVERFITTED))
    quiet(RULE, regularized(kind="Dense", losses=OVERFITTED))
    quiet(RULE, regularized(rate=None, kind="Dense"))


def test_skipped_where_recurrent_dropout_is_not_known() -> None:
    assert "recurrent_dropout" in skips(RULE, regularized(rate=None))


def test_a_history_that_is_too_short_counts_as_none() -> None:
    brief = ((1.0, 0.5), (1.0, 2.0))
    quiet(RULE, regularized(losses=brief))
    assert fires(RULE, regularized(0.5, losses=brief)).confidence == "low"


def test_validation_that_still_falls_is_no_overfitting() -> None:
    quiet(RULE, regularized(losses=((1.0, 0.6, 0.4, 0.3), (1.0, 0.8, 0.6, 0.5))))


def test_a_history_without_training_losses_counts_as_none() -> None:
    made = regularized(0.5)
    untold = replace(history(*OVERFITTED), train=())
    assert fires(RULE, replace(made, history=untold)).confidence == "low"


def test_a_threshold_can_be_set() -> None:
    quiet(RULE, regularized(losses=OVERFITTED), thresholds={RULE: {"gap": 5}})


def test_the_snippet_has_zoneout_in_the_place_of_recurrent_dropout() -> None:
    arguments = {"class_name": "LSTM", "units": 64, "recurrent_dropout": 0.3, "dropout": 0.1}
    made = replace(regularized(0.3), layers=(layer(arguments=arguments),))
    snippet = fires(RULE, made).advice[0].snippet
    assert "ZoneoutLSTM(64, dropout=0.1)" in snippet
    assert "recurrent_dropout" not in snippet
