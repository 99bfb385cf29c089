from __future__ import annotations

from dataclasses import replace

from rule_reports import fires, layer, quiet, report, skips
from rule_settings import decayed, trained

from rnndiag.records import LayerReport, LayerSettings, Report, Setting, Settings, Skipped
from rnndiag.records import Surrounding as Around

RULE = "RNN408"
INPUT, LSTM = Around(name="x", kind="InputLayer"), Around(name="lstm", kind="LSTM")


def constrained(activity: str | None, *network: Around, own: LayerReport | None = None) -> Report:
    known = None if activity is None else Setting(value=activity, source="config")
    settings = Settings(layers={"lstm": LayerSettings(activity=known)})
    return report(own or layer(), network=network, settings=settings)


def penalty(**rates: float) -> Around:
    return Around(name="calm", kind="ActivityRegularization", arguments=rates)


def test_quiet_without_one() -> None:
    quiet(RULE, constrained(""))
    quiet(RULE, constrained("", INPUT, LSTM, Around(name="out", kind="Dense")))


def test_fires_on_the_layers_own() -> None:
    penalized = {"class_name": "LSTM", "units": 64, "activity_regularizer": {"class_name": "L2"}}
    found = fires(RULE, constrained("L2 0.01", own=layer(arguments=penalized)))
    assert (found.severity, found.confidence) == ("warning", "high")
    assert "L2 0.01" in found.message
    assert found.advice[0].snippet == "keras.layers.LSTM(64)"


def test_fires_on_a_layer_behind() -> None:
    found = fires(RULE, constrained("", INPUT, LSTM, penalty(l1=0.0, l2=0.01)))
    assert (found.severity, found.confidence) == ("warning", "medium")
    assert "calm" in found.message
    assert "calm" in found.advice[0].text


def test_quiet_on_one_that_weighs_nothing_or_is_not_the_layers() -> None:
    quiet(RULE, constrained("", INPUT, LSTM, penalty(l1=0.0, l2=0.0)))
    quiet(RULE, constrained("", INPUT, penalty(l2=0.1), LSTM))
    dense = Around(name="dense", kind="Dense")
    quiet(RULE, constrained("", INPUT, LSTM, dense, penalty(l2=0.1)))


def test_both_are_to_be_taken_out() -> None:
    found = fires(RULE, constrained("L1 0.1", INPUT, LSTM, penalty(l2=0.01)))
    assert ["take" in step.text for step in found.advice] == [True, True, False, False]


def test_skipped_where_it_is_not_known() -> None:
    assert "--context" in skips(RULE, constrained(None))
    fires(RULE, constrained(None, INPUT, LSTM, penalty(l2=0.01)))


def test_the_order_counts_only_where_it_is_known() -> None:
    made = constrained("", INPUT, LSTM, penalty(l2=0.01))
    quiet(RULE, replace(made, probe=replace(made.probe, wiring="isolated")))


def test_no_decay_is_offered_without_norms() -> None:
    bare = layer(measurements={"weight_norms": Skipped(reason="not finite")})
    found = fires(RULE, constrained("L2 0.01", own=bare))
    with_norms = fires(RULE, constrained("L2 0.01"))
    assert len(found.advice) == len(with_norms.advice) - 1
    # 8 against 10: the nearest of 1, 2, 5 to 8e-5 is 1e-4 (log 8/5 = .47, log 10/8 = .22).
    assert "1e-4 on the kernel, 1e-4 on the recurrent kernel" in with_norms.advice[-1].text


def test_decay_in_its_place_is_more_than_there_is() -> None:
    found = fires(RULE, trained(decayed(1e-4, 1e-4, activity="L2 0.01")))
    assert "in its place, more weight decay: 1e-3 on the kernel" in found.advice[-1].text
    found = fires(RULE, trained(decayed(1e-2, 1e-2, activity="L2 0.01")))
    assert found.advice[-1].source == "A: weight constraints"
