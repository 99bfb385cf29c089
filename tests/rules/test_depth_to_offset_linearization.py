from __future__ import annotations

from typing import Any

import pytest
from rule_histories import known, of_layer
from rule_reports import fires, layer, quiet, report, skips
from rule_settings import decayed, trained

from rnndiag.records import LayerReport, Measured, Report, Settings

RULE = "RNN505"
STRONG = {"kernel_decay": 1e-4, "recurrent_decay": 1e-3, "bias_decay": 1e-3}


def under(*layers: LayerReport, **decays: float) -> Report:
    return report(*layers, settings=of_layer(**(decays or STRONG)))


def activated(name: str, kind: str = "SimpleRNN") -> LayerReport:
    return layer(kind, arguments={"class_name": kind, "units": 64, "activation": name})


def test_quiet_under_little_decay() -> None:
    quiet(RULE, under(recurrent_decay=9.9e-4))
    quiet(RULE, under(recurrent_decay=0.0, kernel_decay=0.1))


def test_fires_on_one_layer_under_strong_decay() -> None:
    found = fires(RULE, under())
    assert (found.severity, found.confidence) == ("note", "medium")
    assert found.measured == Measured(name="recurrent_decay", value=1e-3, worse="higher")
    assert found.message == (
        "lstm is the only recurrent layer, under a recurrent decay of 1e-3, no less than 1e-3"
    )


def test_decoupled_decay_counts_from_a_tenth_on() -> None:
    made = trained(decayed(0.01, 0.01, 0.01, penalty=False))
    quiet(RULE, made)
    found = fires(RULE, trained(decayed(0.1, 0.1, 0.1, penalty=False)))
    assert found.message.endswith("a recurrent decay of 0.1, no less than 0.1")
    fires(RULE, trained(decayed(0.01, 0.01, 0.01, penalty=True)))


def test_a_second_layer_then_less_decay() -> None:
    stack, less = fires(RULE, under()).advice
    assert stack.snippet.count("LSTM(") == 2
    assert "recurrent kernel: 1e-4" in less.text
    for part in ("kernel", "recurrent", "bias"):
        # The kernel keeps its own, the bias gets no more than R.
        assert f"{part}_regularizer=keras.regularizers.L2(1e-4)" in less.snippet


def test_no_snippet_that_would_have_to_guess() -> None:
    assert not fires(RULE, under(recurrent_decay=0.01)).advice[1].snippet
    assert not fires(RULE, under(recurrent_decay=0.01, kernel_decay=0.01)).advice[1].snippet


def test_quiet_on_a_stack() -> None:
    quiet(RULE, under(layer(), layer(name="top", id="top")))
    quiet(RULE, under(layer(), layer(name="lost", id="lost", analysed=False)))


def test_directions_and_calls_are_one_layer() -> None:
    fires(RULE, under(layer(), layer(direction="backward"), layer(call=1)))


@pytest.mark.parametrize("name", ["relu", "linear", "elu"])
def test_quiet_on_activations_that_do_not_saturate(name: str) -> None:
    quiet(RULE, under(activated(name)))


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "hard_sigmoid", "softsign", "Tanh"])
def test_fires_on_those_that_do(name: str) -> None:
    fires(RULE, under(activated(name, "LSTM")))


def test_torch_modules_tell_of_no_activation() -> None:
    arguments: dict[str, Any] = {"class_name": "LSTM", "input_size": 16, "hidden_size": 64}
    made = report(
        layer(arguments={**arguments, "bidirectional": False, "bias": True}),
        framework="torch",
        settings=of_layer(**STRONG),
    )
    assert "num_layers=2" in fires(RULE, made).advice[0].snippet


def test_skipped_where_decay_is_not_known() -> None:
    assert "--context" in skips(RULE, report())
    assert "--context" in skips(RULE, report(settings=Settings(weight_decay=known(0.1))))


def test_quiet_where_nothing_was_analysed() -> None:
    quiet(RULE, under(layer(analysed=False)))


def test_a_threshold_can_be_set() -> None:
    quiet(RULE, under(), thresholds={RULE: {"decay": 1e-2}})
