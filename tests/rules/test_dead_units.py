from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rule_reports import HEALTHY, fires, layer, quiet, report, skips, synthetic

from rnndiag.measurements.unit_activity import UnitActivity
from rnndiag.records import Finding, LayerReport, Measured, Setting, Settings, Skipped

RULE = "RNN201"


def dead(count: int, units: int = 100, kind: str = "LSTM", **changes: Any) -> LayerReport:
    healthy: UnitActivity = HEALTHY["unit_activity"]
    activity = replace(healthy, dead_share=count / units, dead_units=tuple(range(count)), **changes)
    return layer(kind, measurements={"unit_activity": activity}, hidden_size=units)


def sources(found: Finding) -> list[str]:
    return [step.source for step in found.advice]


@pytest.mark.parametrize(
    ("count", "severity", "cut"),
    [(11, "warning", "10%"), (35, "warning", "10%"), (36, "error", "35%")],
)
def test_fires_above_its_cuts(count: int, severity: str, cut: str) -> None:
    found = fires(RULE, report(dead(count)))
    assert found.severity == severity
    assert found.measured == Measured(name="dead_share", value=count / 100, worse="higher")
    assert found.message == f"{count} of 100 units are dead, {count}% and more than {cut}"


def test_quiet_at_the_cut() -> None:
    quiet(RULE, report(dead(10)))
    quiet(RULE, report())


def test_a_share_just_above_the_cut_does_not_look_equal_to_it() -> None:
    assert "10.4%" in fires(RULE, report(dead(5, 48))).message


def test_a_single_unit() -> None:
    found = fires(RULE, report(dead(1, 1)))
    assert found.severity == "error"
    assert not any("units instead" in step.text for step in found.advice)  # 0 are no layer


def test_made_up_input_makes_it_a_warning() -> None:
    found = fires(RULE, synthetic(report(dead(50))))
    assert (found.severity, found.confidence) == ("warning", "medium")
    assert found.capped


def test_few_steps_lower_the_confidence() -> None:
    assert fires(RULE, report(dead(50, steps=100))).confidence == "high"
    assert fires(RULE, report(dead(50, steps=99))).confidence == "medium"


def test_skipped_without_states() -> None:
    facts = {"unit_activity": Skipped(reason="the states are not finite")}
    assert "not finite" in skips(RULE, report(layer(measurements=facts)))


@pytest.mark.parametrize(
    "arguments",
    [{"activation": "relu"}, {"activation": {"class_name": "ReLU"}}, {"nonlinearity": "relu"}],
)
def test_relu_gets_another_activation_first(arguments: dict[str, Any]) -> None:
    made = dead(20, kind="SimpleRNN")
    made = replace(made, arguments={**made.arguments, **arguments})
    first = fires(RULE, report(made)).advice[0]
    assert "tanh" in first.text
    assert first.snippet


def test_what_is_not_rectified_gets_a_gentler_start_first() -> None:
    leaky = ("leaky_relu", {"class_name": "LeakyReLU"}, "prelu")
    for arguments in ({}, *({"activation": own} for own in ("tanh", *leaky))):
        made = replace(dead(20), arguments={"class_name": "LSTM", "units": 100, **arguments})
        found = fires(RULE, report(made))
        assert "orthogonal" in found.advice[0].text
        assert sources(found)[-1] == "A: depth vs. width"


def test_a_start_that_the_layer_had_is_not_advised() -> None:
    own = {"class_name": "SimpleRNN", "units": 100, "recurrent_initializer": "orthogonal"}
    found = fires(RULE, report(replace(dead(20, kind="SimpleRNN"), arguments=own)))
    assert "learning rate" in found.advice[0].text


@pytest.mark.parametrize(
    ("count", "units", "fewer"), [(34, 48, 16), (52, 100, 48), (7, 64, 57), (8, 10, 8), (9, 10, 8)]
)
def test_as_many_units_as_are_at_work(count: int, units: int, fewer: int) -> None:
    last = fires(RULE, report(dead(count, units))).advice[-1]
    assert f"{fewer} units instead of {units}: {units - count} are at work" in last.text


def test_a_third_of_the_learning_rate() -> None:
    known = Settings(learning_rate=Setting(value=0.02, source="config"))
    texts = [step.text for step in fires(RULE, report(dead(20), settings=known)).advice]
    assert "lower the learning rate from 0.02 to 0.007" in texts
    nothing = Settings(learning_rate=Setting(value=0.0, source="config"))
    texts = [step.text for step in fires(RULE, report(dead(20), settings=nothing)).advice]
    assert "lower the learning rate to a third: 0.0003 if it was 0.001" in texts
    texts = [step.text for step in fires(RULE, report(dead(20))).advice]
    assert "lower the learning rate to a third: 0.0003 if it was 0.001" in texts
