from __future__ import annotations

from dataclasses import replace

import pytest
from rule_histories import history, known, of_layer, trained
from rule_reports import fires, layer, norms, quiet, report, skips

from rnndiag.records import Finding, Measured, Settings

RULE = "RNN601"
RISING = (1.0, 0.6, 0.8)


def texts(found: Finding) -> str:
    return "\n".join(step.text for step in found.advice)


def test_quiet_where_the_losses_fall_together() -> None:
    quiet(RULE, trained((1.0, 0.5, 0.4), (1.1, 0.6, 0.5)))


def test_fires_on_a_gap_with_validation_rising() -> None:
    found = fires(RULE, trained((1.0, 0.5, 0.4), RISING))
    assert found.severity == "warning"
    # (0.8 - 0.4) / 0.4 and (0.8 - 0.6) / 0.6
    assert found.measured == Measured(name="gap", value=1.0, worse="higher")
    assert "100% above training loss 0.4 and 33.3% above its best, over 10% and 5%" in found.message
    assert found.evidence["best_epoch"] == 1


def test_a_large_gap_and_most_of_the_gain_lost_are_an_error() -> None:
    found = fires(RULE, trained((1.0, 0.4, 0.25), (1.0, 0.5, 0.8)))
    assert found.severity == "error"
    assert "220% above training loss 0.25 and 60% above its best, over 100% and 50%" in (
        found.message
    )
    # Of the two signs of an error, one alone is none.
    assert fires(RULE, trained((1.0, 0.4, 0.25), (1.0, 0.6, 0.8))).severity == "warning"
    assert fires(RULE, trained((1.0, 0.6, 0.5), (1.0, 0.6, 0.95))).severity == "warning"
    # Nor are both, at their cuts.
    assert fires(RULE, trained((1.0, 0.5, 0.5), (1.0, 0.5, 1.0))).severity == "warning"
    assert fires(RULE, trained((4.0, 2.0, 1.0), (4.0, 2.0, 3.0))).severity == "warning"


def test_a_huge_gap_is_told_without_an_exponent() -> None:
    found = fires(RULE, trained((1.0, 0.5, 0.125), (4.0, 2.5, 5.125)))
    assert "is 4,000% above" in found.message


def test_quiet_at_the_cuts() -> None:
    quiet(RULE, trained((12.0, 9.0, 10.0), (12.0, 9.0, 11.0)))
    fires(RULE, trained((12.0, 9.0, 10.0), (12.0, 9.0, 11.1)))
    quiet(RULE, trained((20.0, 5.0, 5.0), (40.0, 20.0, 21.0)))
    fires(RULE, trained((20.0, 5.0, 5.0), (40.0, 20.0, 21.1)))


def test_a_gap_alone_is_no_overfitting() -> None:
    quiet(RULE, trained((1.0, 0.5, 0.2), (1.0, 0.8, 0.7)))


def test_what_came_after_the_checkpoint_does_not_count() -> None:
    losses = (1.0, 0.8, 0.7, 0.4, 0.2), (1.0, 0.9, 0.8, 1.2, 1.6)
    fires(RULE, trained(*losses))
    quiet(RULE, trained(*losses, Settings(epochs=known(2, "checkpoint"))))
    # A plan says nothing of where the file stands, and a step is no epoch.
    fires(RULE, trained(*losses, Settings(epochs=known(2, "hyper_parameters"))))
    fires(RULE, trained(*losses, Settings(epochs=known(2, "checkpoint")), axis="step"))


@pytest.mark.parametrize(("epoch", "confidence"), [(3, "high"), (2, "high"), (9, "medium")])
def test_sure_where_the_file_was_written_at_the_end(epoch: int, confidence: str) -> None:
    settings = Settings(epochs=known(epoch, "checkpoint"))
    assert fires(RULE, trained((1.0, 0.5, 0.4), RISING, settings)).confidence == confidence


def test_less_sure_where_the_file_does_not_tell() -> None:
    assert fires(RULE, trained((1.0, 0.5, 0.4), RISING)).confidence == "medium"


def test_evaluations_without_validation_do_not_count() -> None:
    found = fires(RULE, trained((1.0, 0.9, 0.5, 0.4, 0.3), (1.0, None, 0.6, 0.8, None)))
    assert (found.evidence["train_loss"], found.evidence["best_epoch"]) == (0.4, 2)


@pytest.mark.parametrize(
    ("train", "validation", "reason"),
    [
        ((1.0, 0.5, 0.4), (), "no validation loss: name it, --val-column"),
        ((1.0, 0.5), (1.0, 0.6), "fewer than 3 evaluations"),
        ((), (1.0, 0.6, 0.8), "no training loss: name it, --train-column"),
        ((0.5, 0.2, 0.0), (1.0, 0.6, 0.8), "not positive"),
        ((-1.0, -2.0, -3.0), (-1.0, -1.5, -1.2), "not positive"),
    ],
)
def test_skipped_without_the_losses(
    train: tuple[float, ...], validation: tuple[float, ...], reason: str
) -> None:
    assert reason in skips(RULE, trained(train, validation))


def test_skipped_without_a_history() -> None:
    assert "--history" in skips(RULE, report())


def test_skipped_where_too_little_came_before_the_checkpoint() -> None:
    settings = Settings(epochs=known(1, "checkpoint"))
    assert "up to the checkpoint's epoch, 1" in skips(
        RULE, trained((1.0, 0.5, 0.4), RISING, settings)
    )


# ---------------------------------------------------------------- advice


def test_the_steps_are_those_of_the_document_in_its_order() -> None:
    said = texts(fires(RULE, trained((1.0, 0.5, 0.4), RISING)))
    assert said.splitlines() == [
        "recurrent dropout of 0.2; if that helps 0.4",
        "dropout of 0.3 between layers, up to 0.5",
        "weight decay: lstm/forward 1e-4 on the kernel, 1e-4 on the recurrent kernel (in "
        "proportion to ‖K‖ = 8 and ‖R‖ = 10; the bias gets the smaller of the two)",
        "more training data",
        "a smaller network: 32 units instead of 64",
    ]


def test_known_regularization_gets_the_next_rung() -> None:
    settings = of_layer(recurrent_dropout=0.2, kernel_decay=1e-4, recurrent_decay=0.0)
    found = fires(RULE, trained((1.0, 0.5, 0.4), RISING, settings))
    assert "recurrent dropout of 0.4 (now 0.2); if that helps 0.5" in texts(found)
    assert "more weight decay: lstm/forward 1e-3 on the kernel, 1e-4 on the recurrent" in texts(
        found
    )
    # Lines would set one value for all matrices, which RNN402 warns of.
    assert not found.advice[2].snippet
    assert "recurrent_dropout=0.4" in found.advice[0].snippet


def test_nothing_is_said_beyond_the_last_rung() -> None:
    # From 0.3, to which RNN407's ladder comes back from 0.4, nothing leads on.
    for rate in (0.3, 0.5):
        settings = of_layer(recurrent_dropout=rate, kernel_decay=1e-3, recurrent_decay=1e-3)
        said = texts(fires(RULE, trained((1.0, 0.5, 0.4), RISING, settings)))
        assert "recurrent dropout" not in said
        assert "weight decay" not in said


def test_each_layer_has_decays_by_its_own_norms() -> None:
    small = layer(name="top", id="top", measurements={"weight_norms": norms(kernel=2.0)})
    made = report(layer(), small, history=history((1.0, 0.5, 0.4), RISING))
    said = texts(fires(RULE, made))
    assert "lstm/forward 1e-4 on the kernel, 1e-4 on the recurrent kernel" in said
    # ‖K‖ is a fifth of ‖R‖ = 10.
    assert "top/forward 2e-5 on the kernel, 1e-4 on the recurrent kernel" in said


def test_layers_of_unlike_width_get_no_one_width() -> None:
    layers = (layer(), layer(name="top", id="top", hidden_size=20))
    made = report(*layers, history=history((1.0, 0.5, 0.4), RISING))
    smaller = fires(RULE, made).advice[-1]
    assert smaller.text == "a smaller network: 0.5 times the units in each recurrent layer"
    assert not smaller.snippet


def test_a_single_unit_is_not_halved() -> None:
    made = report(layer(hidden_size=1), history=history((1.0, 0.5, 0.4), RISING))
    assert "0.5 times the units" in fires(RULE, made).advice[-1].text


def test_a_threshold_can_be_set() -> None:
    made = trained((1.0, 0.5, 0.4), RISING)
    quiet(RULE, made, thresholds={RULE: {"rise": 0.4}})
    quiet(RULE, replace(made), thresholds={RULE: {"gap": 1.5}})
