from __future__ import annotations

from dataclasses import replace

import pytest
from rule_histories import known, of_layer, trained
from rule_reports import fires, quiet, report, skips

from rnndiag.records import Finding, Measured, Settings

RULE = "RNN602"
CAUSES = (
    "see first whether another finding names a cause: a short memory, dead units, stuck gates, "
    "inputs on a wrong scale"
)
FLAT = (2.0, 1.95, 1.97, 1.92, 1.94)
BESIDE = (2.0, 1.98, 1.96, 1.95, 1.99)


def texts(found: Finding) -> str:
    return "\n".join(step.text for step in found.advice)


def test_quiet_where_training_learns() -> None:
    quiet(RULE, trained((2.0, 1.5, 1.0, 0.8, 0.7), (2.0, 1.6, 1.1, 0.9, 0.8)))


def test_fires_where_both_losses_stay_where_they_were() -> None:
    found = fires(RULE, trained(FLAT, BESIDE))
    assert (found.severity, found.confidence) == ("warning", "medium")
    assert found.measured == Measured(name="fall", value=(2 - 1.92) / 2, worse="lower")
    assert "in 5 evaluations training loss fell from 2 to 1.92, by 4%, less than 10%" in (
        found.message
    )


def test_quiet_at_the_cuts() -> None:
    quiet(RULE, trained((10.0, 10.0, 10.0, 10.0, 9.0), (9.0,) * 5))
    fires(RULE, trained((10.0, 10.0, 10.0, 10.0, 9.1), (9.0,) * 5))
    quiet(RULE, trained((10.0,) * 5, (11.1,) * 5))
    fires(RULE, trained((10.0,) * 5, (11.0,) * 5))


def test_validation_far_below_training_is_not_beside_it() -> None:
    quiet(RULE, trained((10.0,) * 5, (8.9,) * 5))
    fires(RULE, trained((10.0,) * 5, (9.1,) * 5))


def test_quiet_where_training_diverged_late() -> None:
    losses = (1.0, 0.99, 0.98, 0.97, 5.0, 9.0)
    quiet(RULE, trained(losses, losses))
    quiet(RULE, trained((10.0, 9.9, 9.9, 9.9, 11.0), (11.0,) * 5))
    fires(RULE, trained((10.0, 9.9, 9.9, 9.9, 10.9), (11.0,) * 5))


def test_a_loss_that_rises_did_not_fall() -> None:
    found = fires(RULE, trained((2.0, 2.01, 2.02, 2.03, 2.04), (2.0,) * 5))
    assert found.measured == Measured(name="fall", value=0.0, worse="lower")


@pytest.mark.parametrize(
    ("train", "validation", "reason"),
    [
        (FLAT[:4], BESIDE[:4], "fewer than 5 training losses"),
        ((None, 2.0, 2.0, 2.0, 2.0), BESIDE, "fewer than 5 training losses"),
        (FLAT, (), "no validation loss"),
        ((0.0,) * 5, (0.0,) * 5, "not positive"),
        ((-1.0, -1.0, -1.0, -1.0, 0.5), (0.5,) * 5, "not positive"),
    ],
)
def test_skipped_without_the_losses(
    train: tuple[float | None, ...], validation: tuple[float, ...], reason: str
) -> None:
    assert reason in skips(RULE, trained(train, validation))


def test_skipped_without_a_history() -> None:
    assert "--history" in skips(RULE, report())


def test_what_came_after_the_checkpoint_does_not_count() -> None:
    losses = (*FLAT, 1.0), (*BESIDE, 1.0)
    quiet(RULE, trained(*losses))
    fires(RULE, trained(*losses, Settings(epochs=known(4, "checkpoint"))))


# ---------------------------------------------------------------- advice


def test_the_steps_are_those_of_the_document() -> None:
    found = fires(RULE, trained(FLAT, BESIDE))
    assert texts(found).splitlines() == [
        CAUSES,
        "a larger network: 128 units instead of 64",
        "lower the learning rate to a third: 0.0003 if it was 0.001",
        "train longer, once the losses fall at all",
    ]
    assert {step.source for step in found.advice[1:]} == {"B: tuning: underfits"}
    assert "128" in found.advice[1].snippet


def test_known_regularization_is_taken_back_first() -> None:
    settings = of_layer(
        dropout=0.5, recurrent_dropout=0.4, kernel_decay=1e-3, recurrent_decay=1e-4, bias_decay=0.0
    )
    found = fires(RULE, trained(FLAT, BESIDE, settings))
    assert texts(found).splitlines()[:4] == [
        CAUSES,
        "half the recurrent dropout: 0.2 instead of 0.4",
        "half the dropout on the inputs: 0.25 instead of 0.5",
        "a tenth of the weight decay: at most 1e-4 instead of 1e-3",
    ]
    assert "recurrent_dropout=0.2" in found.advice[1].snippet
    assert "kernel_regularizer=keras.regularizers.L2(1e-4)" in found.advice[3].snippet
    assert "recurrent_regularizer=keras.regularizers.L2(1e-5)" in found.advice[3].snippet


def test_the_known_learning_rate_is_lowered() -> None:
    settings = Settings(learning_rate=known(0.03))
    assert "from 0.03 to 0.01" in texts(fires(RULE, trained(FLAT, BESIDE, settings)))


def test_a_threshold_can_be_set() -> None:
    quiet(RULE, trained(FLAT, BESIDE), thresholds={RULE: {"fall": 0.03}})
    assert skips(RULE, replace(trained(FLAT, BESIDE)), thresholds={RULE: {"evaluations": 6}})
