from __future__ import annotations

from typing import Any

import pytest
from rule_reports import fires, layer, norms, quiet, report, skips
from rule_settings import SOURCE, decayed, trained

from rnndiag.records import Trial, Trials

RULE = "RNN401"


def tried(*trials: tuple[dict[str, Any], float]) -> Trials:
    return Trials(
        source="trials.csv",
        metric="val_loss",
        trials=tuple(Trial(settings=settings, metric=metric) for settings, metric in trials),
    )


def test_fires_where_nothing_is_decayed() -> None:
    found = fires(RULE, trained(decayed(0.0, 0.0, 0.0)))
    assert found.severity == "note"
    assert found.message == "no weight decay on the kernel and the recurrent kernel"
    assert found.evidence["source"] == SOURCE


def test_fires_on_the_one_that_is_not() -> None:
    assert fires(RULE, trained(decayed(1e-3, 0.0))).message.endswith("on the recurrent kernel")
    assert fires(RULE, trained(decayed(0.0, 1e-3))).message.endswith("on the kernel")


def test_quiet_where_both_are() -> None:
    quiet(RULE, trained(decayed(1e-3, 1e-4, 0.0)))


def test_a_bound_on_the_norm_is_as_good() -> None:
    bounded = {"kernel_constraint": "MaxNorm 3", "recurrent_constraint": "UnitNorm"}
    quiet(RULE, trained(decayed(0.0, 0.0, **bounded)))
    half = decayed(0.0, 0.0, kernel_constraint="MaxNorm 3", recurrent_constraint="NonNeg")
    assert fires(RULE, trained(half)).message.endswith("on the recurrent kernel")


@pytest.mark.parametrize("own", [decayed(), decayed(0.0), decayed(None, 0.0)])
def test_skipped_where_the_file_does_not_tell(own: Any) -> None:
    assert "--context" in skips(RULE, trained(own))
    assert "--context" in skips(RULE, report())


def test_the_documents_two_values_are_fitted_to_the_matrices() -> None:
    made = layer(measurements={"weight_norms": norms(kernel=5.0, recurrent=10.0)})
    found = fires(RULE, trained(decayed(0.0, 0.0), made))
    assert "5e-5 on the kernel and 1e-4 on the recurrent kernel" in found.advice[0].text
    assert "L2(5e-5)" in found.advice[0].snippet
    assert "5e-4 and 1e-3" in found.advice[1].text


def test_trials_name_the_next_value_of_each_kernel() -> None:
    trials = tried(({}, 0.9), ({"kernel_decay": 1e-3}, 0.8))
    kernel, recurrent = fires(RULE, trained(decayed(0.0, 0.0)), trials).advice
    # The kernel's first rung was tried, the recurrent kernel's was not.
    assert "try with kernel decay 0.0001 next" in kernel.text
    assert "try with recurrent decay 0.001 next" in recurrent.text
    assert kernel.source == recurrent.source == "A: what to do 1"
    assert "kernel_regularizer=keras.regularizers.L2(1e-4)" in recurrent.snippet
    assert "recurrent_regularizer=keras.regularizers.L2(1e-3)" in recurrent.snippet
    assert "bias_regularizer=keras.regularizers.L2(1e-4)" in recurrent.snippet


def test_finished_ladders_say_what_to_keep_or_to_scrap() -> None:
    trials = tried(
        ({}, 0.9),
        ({"kernel_decay": 1e-3}, 0.8),
        ({"kernel_decay": 1e-4}, 0.85),
        ({"recurrent_decay": 1e-3}, 0.95),
        ({"recurrent_decay": 1e-4}, 0.91),
    )
    kernel, recurrent = fires(RULE, trained(decayed(0.0, 0.0)), trials).advice
    assert "kernel: keep 1e-3 (" in kernel.text
    assert "recurrent kernel: no decay (" in recurrent.text
    assert "L2(1e-3)" in recurrent.snippet
    assert "recurrent_regularizer" not in recurrent.snippet


def test_without_a_baseline_the_next_rung_is_to_be_pasted() -> None:
    trials = tried(({"kernel_decay": 1e-3, "recurrent_decay": 1e-3}, 0.8))
    kernel, recurrent = fires(RULE, trained(decayed(0.0, 0.0)), trials).advice
    assert kernel.text.endswith("with kernel decay 0.001: try with kernel decay 0.0001 next")
    assert "recurrent_regularizer=keras.regularizers.L2(1e-4)" in recurrent.snippet


def test_a_decay_that_is_there_stays() -> None:
    found = fires(RULE, trained(decayed(5e-3, 0.0)))
    assert found.message == "no weight decay on the recurrent kernel"
    assert (
        "5e-3 on the kernel and 1e-4 on the recurrent kernel (5e-3 and 0 now"
        in found.advice[0].text
    )
    assert "where there was none: 5e-3 and 1e-3" in found.advice[1].text
