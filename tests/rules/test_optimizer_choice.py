from __future__ import annotations

from typing import Any

import pytest
from rule_reports import fires, layer, quiet, report, skips

from rnndiag.measurements.training_step import ArrayStep, TrainingStep
from rnndiag.records import Measured, Report, Setting, Settings, Skipped

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


def stepping(optimizer: str | None = "Nadam", rate: float | None = 0.02, **ratios: Any) -> Report:
    """Two layers; the second one's last step had these sizes, the first one's usual ones."""
    usual = dict.fromkeys(("kernel", "recurrent", "bias"), 1e-3)
    layers = [
        layer(name=name, id=name, measurements={"training_step": steps(**sizes)})
        for name, sizes in (("lower", usual), ("upper", {**usual, **ratios}))
    ]
    return report(*layers, settings=trained(optimizer, rate).settings)


def steps(**ratios: float | None) -> TrainingStep:
    return TrainingStep(
        **{name: ArrayStep(ratio=ratio, gradient=None) for name, ratio in ratios.items()}
    )


def test_a_step_that_is_too_large_names_its_matrix() -> None:
    found = fires(RULE, stepping(kernel=0.2, recurrent=0.5))
    assert (found.severity, found.confidence) == ("note", "high")
    assert found.message == (
        "the last step changed the recurrent kernel of upper/forward by 0.5 of its size, more "
        "than 0.1"
    )
    assert found.measured == Measured(
        name="log10_training_step", value=pytest.approx(-0.30103), worse="higher"
    )
    (only,) = found.advice
    assert only.text == "a tenth of the learning rate: 2e-3 instead of 0.02"
    assert "2e-3" in only.snippet


def test_a_step_that_is_too_small_may_be_the_end_of_a_schedule() -> None:
    found = fires(RULE, stepping(kernel=1e-7))
    assert (found.severity, found.confidence) == ("note", "medium")
    assert "the kernel of upper/forward by 1e-07 of its size, less than 1e-05" in found.message
    assert "schedule" in (found.doubt or "")
    assert found.measured == Measured(
        name="log10_training_step", value=pytest.approx(-7), worse="lower"
    )
    assert found.advice[0].text == "ten times the learning rate: 0.2 instead of 0.02"


@pytest.mark.parametrize("ratio", [1e-5, 1e-1, None, 0.0])
def test_quiet_on_steps_of_a_usual_size(ratio: float | None) -> None:
    quiet(RULE, stepping(kernel=ratio))


def test_the_step_furthest_out_is_the_one_that_is_told() -> None:
    assert "the kernel of" in fires(RULE, stepping(kernel=1e-8, recurrent=0.5)).message
    assert "the recurrent kernel of" in fires(RULE, stepping(kernel=5e-6, recurrent=0.9)).message


def test_biases_start_small_or_large_and_their_steps_are_no_sign() -> None:
    quiet(RULE, stepping(bias=0.9))
    quiet(RULE, stepping(bias=1e-9))


def test_both_reasons_stand_in_one_finding() -> None:
    found = fires(RULE, stepping("Adam", kernel=0.3))
    assert found.message.endswith(
        "more than 0.1; trained with Adam; Nadam or AdamW are worth a try"
    )
    assert [own.source for own in found.advice] == [
        *("B: tuning: unstable", "A: what to do 13", "A: bonus")
    ]


def test_steps_are_judged_where_optimizer_and_rate_are_not_known() -> None:
    found = fires(RULE, stepping(None, None, kernel=0.3))
    assert [own.text for own in found.advice] == ["a tenth of the learning rate"]
    assert "not known" in skips(RULE, stepping(None))


def test_a_layer_without_steps_is_passed_over() -> None:
    facts = {"training_step": Skipped(reason="no optimizer in the file")}
    quiet(RULE, report(layer(measurements=facts), settings=trained("Nadam").settings))


def test_a_threshold_can_be_set() -> None:
    quiet(RULE, stepping(kernel=0.3), thresholds={RULE: {"largest_step": 0.5}})
