from __future__ import annotations

import math
from dataclasses import replace

import pytest
from rule_reports import fires, layer, norms, quiet, skips
from rule_settings import checkpoints, decayed, trained

from rnndiag.records import LayerSettings, Measured, Report, Series

RULE = "RNN305"
GROWING = checkpoints((8, 10, 12), (10, 11, 12), (1, 1, 1))


def test_fires_where_decayed_norms_grow() -> None:
    found = fires(RULE, trained(decayed(1e-4, 1e-4, 0.0), series=GROWING))
    assert (found.severity, found.confidence) == ("note", "medium")
    assert "the kernel went from 8 to 12 (+50.0%)" in found.message
    assert "the recurrent kernel went from 10 to 12 (+20.0%)" in found.message
    assert found.measured is not None
    assert (found.measured.name, found.measured.value) == ("growth", pytest.approx(1.5))


@pytest.mark.parametrize("last", [49.0, 20.0, 0.1])
def test_quiet_where_both_fell_by_a_fiftieth_or_more(last: float) -> None:
    series = checkpoints((50, 60, last), (50, 60, last))
    quiet(RULE, trained(decayed(1e-4, 1e-4), series=series))


def test_fires_just_short_of_a_fall() -> None:
    series = checkpoints((7.9, 8, 7.85), (8, 9, 4))
    found = fires(RULE, trained(decayed(1e-4, 1e-4), series=series))
    assert "recurrent" not in found.message
    assert "(-0.6%), -1.9% since its highest" in found.message
    assert found.evidence["kernel_growth"] == pytest.approx(7.85 / 7.9)
    assert found.evidence["kernel_since_peak"] == pytest.approx(7.85 / 8)


def test_what_falls_since_its_peak_is_decayed_though_it_ends_higher() -> None:
    """Weights grow while the network learns, and that says nothing of the decay."""
    quiet(RULE, trained(decayed(1e-4, 1e-4), series=checkpoints((8, 10, 9), (8, 10, 9))))
    back = fires(RULE, trained(decayed(1e-4, 1e-4), series=checkpoints((8, 10, 9.9), (8, 10, 9))))
    assert "the kernel went from 8 to 9.9 (+23.8%), -1.0% since its highest" in back.message
    assert back.evidence["recurrent_since_peak"] == pytest.approx(0.9)


def test_only_what_is_decayed_is_judged() -> None:
    found = fires(RULE, trained(decayed(1e-4, 0.0), series=GROWING))
    assert "recurrent" not in found.message
    falling = checkpoints((8, 7, 6), (10, 11, 12))
    quiet(RULE, trained(decayed(1e-4, 0.0), series=falling))
    quiet(RULE, trained(decayed(1e-4), series=falling))


@pytest.mark.parametrize(
    ("own", "reason"),
    [
        (decayed(), "--context"),
        (decayed(0.0), "--context"),
        (decayed(0.0, 0.0), "neither kernel is decayed"),
    ],
)
def test_skipped_without_a_decay(own: object, reason: str) -> None:
    assert reason in skips(RULE, trained(own, series=GROWING))  # type: ignore[arg-type]


def test_skipped_without_enough_checkpoints() -> None:
    own = decayed(1e-4, 1e-4)
    assert "--series" in skips(RULE, trained(own))
    assert "3" in skips(RULE, trained(own, series=checkpoints((8, 9), (8, 9))))


def test_ten_times_the_decay_comes_next() -> None:
    found = fires(RULE, trained(decayed(1e-4, 1e-4), series=GROWING))
    assert found.advice[0].snippet == ""
    assert "1e-3 on the kernel, 1e-3 on the recurrent kernel" in found.advice[1].text
    assert "L2(1e-3)" in found.advice[1].snippet


def test_both_are_raised_in_proportion() -> None:
    found = fires(RULE, trained(decayed(2e-4, 1e-3), series=GROWING))
    assert "2e-3 on the kernel, 0.01 on the recurrent kernel" in found.advice[1].text
    assert "2e-4 and 1e-3 now" in found.advice[1].text


def test_only_the_matrix_that_stands_still_gets_more() -> None:
    series = checkpoints((8, 7, 6), (10, 11, 12))
    found = fires(RULE, trained(decayed(1e-4, 1e-4), series=series))
    assert "1e-4 on the kernel, 1e-3 on the recurrent kernel" in found.advice[1].text
    assert "kernel_regularizer=keras.regularizers.L2(1e-4)" in found.advice[1].snippet
    assert "recurrent_regularizer=keras.regularizers.L2(1e-3)" in found.advice[1].snippet
    assert "ten times" not in found.advice[1].text


def test_decoupled_decay_may_go_further() -> None:
    found = fires(RULE, trained(decayed(0.01, 0.01, penalty=False), series=GROWING))
    assert "0.1 on the kernel, 0.1 on the recurrent kernel" in found.advice[1].text
    found = fires(RULE, trained(decayed(1.0, 1.0, penalty=False), series=GROWING))
    assert "more decay would be above 1" in found.advice[1].text
    found = fires(RULE, trained(decayed(0.01, 0.01, penalty=True), series=GROWING))
    assert "more decay would be above 0.01" in found.advice[1].text


def test_above_the_documents_range_a_bound_comes_next() -> None:
    found = fires(RULE, trained(decayed(1e-2, 1e-2), series=GROWING))
    # Columns of R: an RMS of .11 over √64 entries is .88; of K .12 over √16 is .48.
    assert "below 0.24 in the kernel (0.48 now) and 0.44 in the recurrent kernel (0.88 now)" in (
        found.advice[1].text
    )
    assert "MaxNorm(0.44)" in found.advice[1].snippet


def test_what_decoupled_decay_takes_off_alone_is_said_where_it_is_known() -> None:
    network = {"decoupled": True, "learning_rate": 1e-3, "steps": 20_000}
    found = fires(RULE, trained(decayed(1e-3, 1e-3), series=GROWING, **network))
    share = 1 - math.exp(-1e-3 * 1e-3 * 20_000)
    assert f"takes {100 * share:.3g}% off in 20000 updates" in found.advice[0].text


@pytest.mark.parametrize("missing", ["decoupled", "learning_rate", "steps"])
def test_it_is_not_said_where_one_of_them_is_not_known(missing: str) -> None:
    network = {"decoupled": True, "learning_rate": 1e-3, "steps": 20_000}
    del network[missing]
    found = fires(RULE, trained(decayed(1e-3, 1e-3), series=GROWING, **network))
    assert "takes" not in found.advice[0].text


def test_a_series_of_another_layer_is_no_evidence() -> None:
    other: Series = checkpoints((8, 9, 10), (8, 9, 10), name="gru/forward")
    assert "this layer" in skips(RULE, trained(decayed(1e-4, 1e-4), series=other))


def huge(
    size: float, gate: str = "input", part: str = "kernel", own: LayerSettings | None = None
) -> Report:
    """A layer whose largest weight stands in one part of one gate."""
    healthy = norms()
    array = replace(getattr(healthy.gates[gate], part), max_abs=size)
    gates = {**healthy.gates, gate: replace(healthy.gates[gate], **{part: array})}
    return trained(own, layer(measurements={"weight_norms": norms(max_abs=size, gates=gates)}))


def test_a_huge_weight_gets_a_note_without_a_series_and_without_a_known_decay() -> None:
    found = fires(RULE, huge(61.0, "forget", "recurrent"))
    assert (found.severity, found.confidence) == ("note", "high")
    assert found.message == (
        "the largest weight, in the recurrent kernel of the forget gate, is 61, more than 20"
    )
    assert found.measured == Measured(name="max_abs", value=61.0, worse="higher")
    # ‖K‖ = 8 is near enough to ‖R‖ = 10 for the same decay.
    assert found.advice[1].text.startswith("else weight decay: 1e-4 on the kernel, 1e-4 on the")
    assert "L2(1e-4)" in found.advice[1].snippet


def test_a_weight_at_the_cut_is_not_huge() -> None:
    assert "--series" in skips(RULE, huge(20.0))
    assert "neither kernel" in skips(RULE, trained(decayed(0.0, 0.0), series=GROWING))


@pytest.mark.parametrize(
    ("decay", "wanted"),
    [(1e-4, "else more weight decay: 1e-3 on the kernel, 0 on"), (1e-2, "and 0.44 in")],
)
def test_against_a_huge_weight_more_decay_or_a_bound(decay: float, wanted: str) -> None:
    found = fires(RULE, huge(30.0, own=decayed(decay, 0.0)))
    assert wanted in found.advice[1].text


def test_a_huge_bias_is_decayed_or_bounded() -> None:
    found = fires(RULE, huge(30.0, "output", "bias"))
    assert "in the bias of the output gate" in found.message
    assert [step.source for step in found.advice[1:]] == ["A: what to do 9"] * 2
    assert "or bound their norm at 1 (2 now)" in found.advice[2].text


def test_what_a_series_tells_comes_before_a_huge_weight() -> None:
    made = huge(61.0, own=decayed(1e-4, 1e-4))
    found = fires(RULE, replace(made, series=GROWING))
    assert found.measured is not None
    assert found.measured.name == "growth"
    falling = checkpoints((8, 7, 6), (10, 9, 8))
    found = fires(RULE, replace(made, series=falling))
    assert found.measured is not None
    assert found.measured.name == "max_abs"


def test_the_largest_weight_can_be_set() -> None:
    skips(RULE, huge(61.0), thresholds={RULE: {"largest": 100}})
