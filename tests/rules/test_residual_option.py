from __future__ import annotations

from dataclasses import replace

import pytest
from rule_reports import fires, layer, quiet, report, skips, span, synthetic

from rnndiag.records import LayerReport, LayerSettings, Measured, Report, Setting, Settings
from rnndiag.records import Surrounding as Around

RULE = "RNN414"
INPUT, LSTM = Around(name="x", kind="InputLayer"), Around(name="lstm", kind="LSTM")
NORM = Around(name="norm", kind="LayerNormalization")
LOWER = Around(name="lower", kind="LSTM")


def regularized(
    *network: Around, rate: float | None = 0.2, own: LayerReport | None = None
) -> Report:
    known = None if rate is None else Setting(value=rate, source="config")
    settings = Settings(layers={"lstm": LayerSettings(recurrent_dropout=known)})
    below = layer(name="lower", id="lower", analysed=False)
    return report(below, own or layer(), network=network or (INPUT, LSTM, NORM), settings=settings)


def reaching(steps: int, timesteps: int = 100, **changes: object) -> LayerReport:
    return layer(measurements={"gradient_span": span(span=steps, timesteps=timesteps, **changes)})


def test_fires_where_gradients_still_end_near_by() -> None:
    found = fires(RULE, regularized(own=reaching(9)))
    assert (found.severity, found.confidence) == ("note", "high")
    assert found.measured == Measured(name="span", value=9, worse="lower")
    assert "only 9 steps back, fewer than 10" in found.message
    assert "Add()" in found.advice[0].snippet


def test_quiet_where_they_reach_far_or_to_the_start() -> None:
    quiet(RULE, regularized(own=reaching(10)))
    quiet(RULE, regularized(own=reaching(9, 60, censored=True)))


def test_on_short_sequences_the_cut_is_in_proportion() -> None:
    fires(RULE, regularized(own=reaching(3, 20)))
    quiet(RULE, regularized(own=reaching(4, 20)))


def test_fires_on_a_plain_stack_at_the_end_of_the_ladder() -> None:
    own = layer(input_size=64)
    found = fires(RULE, regularized(INPUT, LOWER, NORM, LSTM, rate=0.5, own=own))
    assert (found.severity, found.confidence) == ("note", "medium")
    assert "on another recurrent layer" in found.message
    # On made-up input the order of the layers is what it is.
    made = regularized(INPUT, LOWER, NORM, LSTM, rate=0.5, own=own)
    assert not any("--probe" in step.text for step in fires(RULE, synthetic(made)).advice)
    # The span is not what this is about.
    assert found.measured is None
    quiet(RULE, regularized(INPUT, LOWER, NORM, LSTM, rate=0.5))


def test_quiet_on_a_stack_while_dropout_has_a_next_rung() -> None:
    quiet(RULE, regularized(INPUT, LOWER, NORM, LSTM, rate=0.2))


@pytest.mark.parametrize(
    "path",
    [
        Around(name="sum", kind="Add"),
        Around(name="add_2", kind="ops.Add"),
        Around(name="tf.__operators__.add", kind="TFOpLambda"),
        Around(name="skipped", kind="tf.raw_ops.AddV2"),
    ],
)
def test_quiet_where_something_is_added(path: Around) -> None:
    quiet(RULE, regularized(INPUT, LOWER, NORM, LSTM, path, rate=0.5))


def test_quiet_where_layers_do_not_stand_on_each_other() -> None:
    dense = Around(name="dense", kind="Dense")
    quiet(RULE, regularized(INPUT, LOWER, NORM, dense, LSTM, rate=0.5))
    quiet(RULE, regularized(INPUT, LSTM, NORM, rate=0.5))


def test_quiet_on_a_stack_whose_order_is_not_known() -> None:
    made = regularized(INPUT, LOWER, NORM, LSTM, rate=0.5)
    quiet(RULE, replace(made, probe=replace(made.probe, wiring="assumed")))


def test_quiet_before_the_usual_steps() -> None:
    quiet(RULE, regularized(rate=0.0, own=reaching(2)))
    quiet(RULE, regularized(INPUT, LSTM, own=reaching(2)))


def test_skipped_where_recurrent_dropout_is_not_known() -> None:
    assert "recurrent_dropout" in skips(RULE, regularized(rate=None, own=reaching(2)))


def test_made_up_input_says_so_first() -> None:
    assert "--probe" in fires(RULE, synthetic(regularized(own=reaching(2)))).advice[0].text


def test_a_threshold_can_be_set() -> None:
    fires(RULE, regularized(own=reaching(15)), thresholds={RULE: {"span": 20}})
