from __future__ import annotations

from pathlib import Path

import pytest
from rule_histories import known, trained
from rule_reports import fires, quiet, report, skips

from rnndiag.evidence import histories
from rnndiag.records import Measured, Settings

RULE = "RNN603"
CALM = (4.0, 3.0, 2.0, 1.0)


def test_quiet_where_training_goes_down() -> None:
    quiet(RULE, trained((*CALM, 0.8, 0.7, 0.6)))


def test_fires_on_a_leap() -> None:
    found = fires(RULE, trained((*CALM, 6.0, 1.0, 0.9)))
    assert (found.severity, found.confidence) == ("warning", "medium")
    assert "training loss leaps by 3.5 to 6 at epoch 4, from a median of 2.5" in found.message
    # The median of 4, 3, 2 and 1.
    assert found.evidence["spikes"] == [[4.0, 6.0, 2.5]]
    assert found.measured == Measured(name="leap", value=3.5, worse="higher")


def test_the_median_is_that_of_the_five_evaluations_before() -> None:
    found = fires(RULE, trained((9.0, 9.0, 5.0, 4.0, 3.0, 2.0, 1.0, 7.0)))
    assert found.evidence["spikes"] == [[7.0, 7.0, 3.0]]
    quiet(RULE, trained((9.0, 9.0, 5.0, 4.0, 3.0, 2.0, 1.0, 6.0)))


def test_several_leaps_are_surer() -> None:
    found = fires(RULE, trained((*CALM, 9.0, 1.0, 1.0, 7.0, 1.0)))
    assert found.confidence == "high"
    assert "leaps by 6.5 to 9" in found.message
    assert "2 such leaps" in found.message
    assert found.measured == Measured(name="leap", value=6.5, worse="higher")


def test_the_largest_leap_is_told_not_the_highest_loss() -> None:
    found = fires(RULE, trained((4.0, 4.0, 4.0, 9.0, 1.0, 1.0, 1.0, 1.0, 8.0)))
    assert "leaps by 7 to 8 at epoch 8, from a median of 1" in found.message


def test_quiet_where_small_losses_waver() -> None:
    # Nine times the median, but 0.008 of the 4 that training began with.
    quiet(RULE, trained((4.0, 1.0, 0.1, 0.001, 0.001, 0.001, 0.009, 0.001)))


def test_quiet_where_a_high_loss_wavers() -> None:
    quiet(RULE, trained((4.0, 4.0, 4.0, 7.9, 4.0)))


def test_quiet_before_there_is_a_course() -> None:
    quiet(RULE, trained((1.0, 5.0, 9.0)))


def test_losses_below_zero_leap_alike() -> None:
    fires(RULE, trained((-4.0, -4.0, -4.0, 1.0, -4.0)))
    quiet(RULE, trained((-4.0, -4.0, -4.0, -0.5, -4.0)))


def test_missing_evaluations_are_passed_over() -> None:
    found = fires(RULE, trained((4.0, None, 3.0, 2.0, None, 9.0)))
    assert found.evidence["spikes"] == [[5.0, 9.0, 3.0]]


@pytest.mark.parametrize("bad", ["nan", "inf", "1e999"])
def test_fires_on_losses_that_are_not_finite(tmp_path: Path, bad: str) -> None:
    log = tmp_path / "log.csv"
    log.write_text(f"epoch,loss,val_loss\n1,2,2\n2,1,{bad}\n3,{bad},1\n4,{bad},{bad}\n")
    found = fires(RULE, report(history=histories.read(log)))
    assert "2 of 4 training losses are NaN or infinite, the first at epoch 3" in found.message
    assert found.message.endswith("and the last of all as well")
    assert (found.severity, found.confidence) == ("error", "high")
    assert "before epoch 3" in found.advice[0].text


@pytest.mark.parametrize(
    ("train", "severity"),
    [
        ((4.0, None, 3.0, 2.0, 1.0, 1.0), "warning"),
        ((4.0, None, None, None, 1.0, 1.0), "warning"),
        ((None, None, None, None, 1.0, 1.0), "error"),
        ((4.0, 3.0, 2.0, 1.0, 1.0, None), "error"),
        ((None,) * 2, "error"),
    ],
)
def test_losses_that_stay_not_finite_are_an_error(
    train: tuple[float | None, ...], severity: str
) -> None:
    bad = tuple(float(at) for at, loss in enumerate(train) if loss is None)
    assert fires(RULE, trained(train, not_finite=bad)).severity == severity


def test_a_missing_last_loss_is_no_divergence() -> None:
    assert fires(RULE, trained((4.0, None, 3.0, None), not_finite=(1.0,))).severity == "warning"


def test_the_steps_are_those_of_the_document_in_its_order() -> None:
    settings = Settings(learning_rate=known(0.01), clipping=known("clipnorm 5"))
    found = fires(RULE, trained((*CALM, 6.0), settings=settings))
    assert [step.text for step in found.advice] == [
        "layer normalization around the recurrent layers",
        "lower the learning rate from 0.01 to 0.003",
        "gradients are clipped already (clipnorm 5): halve that",
    ]
    assert "LayerNormalization" in found.advice[0].snippet


def test_skipped_without_training_losses() -> None:
    assert "--train-column" in skips(RULE, trained((), (1.0, 2.0, 3.0)))
    assert "--history" in skips(RULE, report())


def test_a_threshold_can_be_set() -> None:
    quiet(RULE, trained((*CALM, 6.0)), thresholds={RULE: {"ratio": 3}})
    fires(RULE, trained((*CALM, 6.0)), thresholds={RULE: {"window": 3}})
    quiet(RULE, trained((*CALM, 6.0)), thresholds={RULE: {"share": 0.9}})
    once = trained((4.0, None, None, 2.0), not_finite=(1.0, 2.0))
    assert fires(RULE, once, thresholds={RULE: {"few": 1}}).severity == "error"
