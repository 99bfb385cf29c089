from __future__ import annotations

from dataclasses import replace

import pytest
from rule_reports import fires, quiet, report, skips

from rnndiag.records import Report, Surrounding, Trial, Trials

RULE = "RNN410"


def network(*kinds: str, wiring: str = "exact", framework: str = "keras") -> Report:
    around = tuple(Surrounding(name=f"layer{n}", kind=kind) for n, kind in enumerate(kinds))
    made = report(framework=framework, network=around)
    return replace(made, probe=replace(made.probe, wiring=wiring))


def trials(*tried: tuple[dict[str, object], float]) -> Trials:
    listed = tuple(Trial(settings=settings, metric=metric) for settings, metric in tried)
    return Trials(source="trials.csv", trials=listed, metric="val_loss")


PLAIN = ("InputLayer", "LSTM", "Dense")
BN = {"batch_normalization": True}
RBN = {"recurrent_batch_normalization": True}
LN = {"layer_normalization": True}


def test_fires_where_nothing_normalizes() -> None:
    found = fires(RULE, network(*PLAIN))
    assert (found.severity, found.confidence, found.layer) == ("note", "high", None)
    sources = [step.source for step in found.advice]
    assert sources == ["A: what to do 4", "B: checklist", "A: what to do 5"]
    assert "BatchNormalization" in found.advice[0].snippet
    assert "LayerNormalization" in found.advice[1].snippet


@pytest.mark.parametrize(
    "kind",
    [
        *("BatchNormalization", "LayerNormalization", "GroupNormalization", "RMSNormalization"),
        *("InstanceNormalization", "SyncBatchNormalization", "UnitNormalization"),
    ],
)
def test_quiet_with_any_normalization(kind: str) -> None:
    quiet(RULE, network("InputLayer", kind, "LSTM"))


def test_scaling_data_once_is_no_normalization() -> None:
    fires(RULE, network("InputLayer", "Normalization", "LSTM"))


@pytest.mark.parametrize(("wiring", "confidence"), [("assumed", "medium"), ("isolated", "low")])
def test_a_state_dict_shows_less(wiring: str, confidence: str) -> None:
    made = network(*PLAIN, wiring=wiring, framework="torch")
    assert fires(RULE, made).confidence == confidence
    quiet(RULE, network(*PLAIN, "LayerNormalization", wiring=wiring, framework="torch"))


def test_skipped_where_a_keras_file_does_not_tell_all() -> None:
    assert "all layers" in skips(RULE, network(*PLAIN, wiring="isolated"))
    quiet(RULE, network(*PLAIN, "BatchNormalization", wiring="isolated"))


def test_what_trials_have_scrapped_is_not_advised_again() -> None:
    found = fires(RULE, network(*PLAIN), trials(({}, 5), (BN, 6)))
    assert [step.source for step in found.advice] == ["B: checklist", "A: what to do 5"]
    assert "try with recurrent batch normalization next" in found.advice[1].text


def test_what_trials_have_kept_is() -> None:
    found = fires(RULE, network(*PLAIN), trials(({}, 5), (BN, 4)))
    assert found.advice[0].text.endswith(": keep it")
    assert "BatchNormalization" in found.advice[0].snippet


def test_trials_without_a_baseline_ask_for_one() -> None:
    found = fires(RULE, network(*PLAIN), trials((BN, 4)))
    assert "without batch normalization" in found.advice[0].text
    assert found.advice[0].snippet == ""


def test_quiet_where_all_three_were_tried_in_vain() -> None:
    quiet(RULE, network(*PLAIN), trials(({}, 5), (BN, 6), (RBN, 6), (LN, 6)))
    found = fires(RULE, network(*PLAIN), trials(({}, 5), (BN, 6), (RBN, 6)))
    assert [step.source for step in found.advice] == ["B: checklist"]
