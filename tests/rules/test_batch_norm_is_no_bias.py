from __future__ import annotations

from dataclasses import replace

import pytest
from rule_reports import fires, quiet, report, skips

from rnndiag.records import LayerSettings, Report, Setting, Settings, Surrounding

RULE = "RNN409"
INPUT = Surrounding(name="x", kind="InputLayer")
LSTM = Surrounding(name="lstm", kind="LSTM")
DENSE = Surrounding(name="dense", kind="Dense")
BATCH = Surrounding(name="bn", kind="BatchNormalization")


def biased(use_bias: bool | None, *network: Surrounding) -> Report:
    known = None if use_bias is None else Setting(value=use_bias, source="config")
    settings = Settings(layers={"lstm": LayerSettings(use_bias=known)})
    return report(network=network, settings=settings)


@pytest.mark.parametrize("network", [(INPUT, LSTM, BATCH), (INPUT, BATCH, LSTM)])
def test_fires_next_to_batch_normalization(network: tuple[Surrounding, ...]) -> None:
    found = fires(RULE, biased(False, *network))
    assert (found.severity, found.confidence) == ("warning", "high")
    assert "bn (BatchNormalization)" in found.message
    assert "use_bias=True" in found.advice[0].snippet


def test_fires_less_surely_further_away() -> None:
    assert fires(RULE, biased(False, INPUT, LSTM, DENSE, BATCH)).confidence == "medium"


def test_fires_on_a_state_dict_whose_order_is_not_known() -> None:
    made = biased(False, INPUT, LSTM, BATCH)
    made = replace(made, probe=replace(made.probe, wiring="isolated"))
    assert fires(RULE, made).confidence == "medium"


def test_the_neighbour_is_named_first() -> None:
    far = Surrounding(name="far", kind="BatchNormalization")
    assert "bn (" in fires(RULE, biased(False, INPUT, far, DENSE, LSTM, BATCH)).message


def test_quiet_with_biases_or_without_batch_normalization() -> None:
    quiet(RULE, biased(True, INPUT, LSTM, BATCH))
    quiet(RULE, biased(False, INPUT, LSTM, DENSE))
    quiet(RULE, biased(False, INPUT, LSTM, Surrounding(name="ln", kind="LayerNormalization")))


def test_skipped_where_biases_are_not_known() -> None:
    assert "biases" in skips(RULE, biased(None, INPUT, LSTM, BATCH))
