from __future__ import annotations

from dataclasses import replace
from typing import Any

from rule_histories import known
from rule_reports import fires, layer, quiet, report, skips, synthetic

from rnndiag.records import LayerReport, Measured, Report, Settings, Surrounding

RULE = "RNN502"


def holding(samples: int, *layers: LayerReport, parameters: int = 25_000, **more: Any) -> Report:
    """So many parameters, trained on so many sequences of 100 timesteps."""
    made = report(*layers, settings=Settings(samples=known(samples)), **more)
    return replace(made, checkpoint=replace(made.checkpoint, parameters=parameters))


def test_quiet_with_a_timestep_for_each_parameter() -> None:
    quiet(RULE, holding(250))
    quiet(RULE, holding(1_000_000))


def test_fires_with_fewer() -> None:
    found = fires(RULE, holding(200))
    assert (found.severity, found.confidence) == ("note", "medium")
    assert found.measured == Measured(name="parameters_per_timestep", value=1.25, worse="higher")
    assert "25,000 parameters for 200 sequences of 100 timesteps: 1.25 a timestep, more than 1" in (
        found.message
    )


def test_how_much_data_would_do_is_said() -> None:
    more = fires(RULE, holding(1, parameters=24_901)).advice[0]
    assert "250 such sequences" in more.text


def test_half_the_units_and_what_is_left_of_the_parameters() -> None:
    # An LSTM of 64 on 16 features has 4·64·81 weights, one of 32 has 4·32·49.
    left = 25_000 - 20_736 + 6_272
    smaller = fires(RULE, holding(200)).advice[1]
    assert f"32 units instead of 64: about {left:,} of 25,000 parameters" in smaller.text
    assert "LSTM(32" in smaller.snippet


def test_both_directions_count_and_a_second_call_does_not() -> None:
    both = (
        layer("GRU"),
        layer("GRU", direction="backward"),
        layer("GRU", call=1),
        layer("SimpleRNN", name="top", id="top", input_size=128),
        layer(name="broken", id="broken", analysed=False, hidden_size=None),
    )
    now = 2 * 3 * 64 * 81 + 64 * 193
    then = 2 * 3 * 32 * 49 + 32 * 161
    found = fires(RULE, holding(1, *both, parameters=100_000))
    assert f"about {100_000 - now + then:,} of 100,000" in found.advice[1].text


def test_skipped_where_the_training_set_is_not_known() -> None:
    assert "samples in --context" in skips(RULE, report())
    assert "samples in --context" in skips(RULE, holding(0))


def test_skipped_where_the_length_is_made_up() -> None:
    assert "--probe" in skips(RULE, synthetic(holding(200)))


def test_quiet_where_sequences_alone_are_enough_whatever_their_length() -> None:
    quiet(RULE, synthetic(holding(25_000)))


def test_a_length_that_the_network_fixes_counts() -> None:
    fixed = Surrounding(name="x", kind="InputLayer", arguments={"batch_shape": [None, 100, 16]})
    fires(RULE, synthetic(holding(200, network=(fixed,))))


def test_a_threshold_can_be_set() -> None:
    quiet(RULE, holding(200), thresholds={RULE: {"per_timestep": 10}})
    found = fires(RULE, holding(2), thresholds={RULE: {"per_timestep": 10}})
    assert "25 such sequences" in found.advice[0].text
