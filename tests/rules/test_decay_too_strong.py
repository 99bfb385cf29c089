from __future__ import annotations

import pytest
from rule_reports import fires, layer, quiet, skips
from rule_settings import checkpoints, decayed, trained

from rnndiag.measurements.initial_growth import InitialGrowth
from rnndiag.records import LayerSettings, Measured, Report, Series, Skipped

RULE = "RNN306"
FALLEN = checkpoints((8, 4, 2), (10, 9, 8), (1, 1, 1))


def test_fires_where_a_norm_falls_many_times() -> None:
    found = fires(RULE, trained(decayed(1e-2, 1e-2, 0.0), series=FALLEN))
    assert (found.severity, found.confidence) == ("warning", "high")
    assert "the norm of the kernel fell from 8 to 2 (-75.0%)" in found.message
    assert "recurrent" not in found.message
    assert found.measured is not None
    assert (found.measured.value, found.measured.worse) == (pytest.approx(0.25), "lower")


def test_both_matrices_are_named() -> None:
    both = checkpoints((8, 4, 2), (10, 5, 1))
    found = fires(RULE, trained(decayed(1e-2, 1e-2), series=both))
    assert "recurrent kernel fell from 10 to 1" in found.message
    assert found.measured is not None
    assert found.measured.value == pytest.approx(0.1)


@pytest.mark.parametrize("last", [3.0, 8.0, 30.0])
def test_quiet_down_to_a_third(last: float) -> None:
    quiet(RULE, trained(decayed(1e-2, 1e-2), series=checkpoints((9, 5, last), (9, 5, last))))


def test_quiet_where_there_was_no_decay() -> None:
    quiet(RULE, trained(decayed(0.0, 1e-2), series=FALLEN))


def test_a_decay_that_is_not_known_leaves_doubt() -> None:
    found = fires(RULE, trained(series=FALLEN))
    assert found.confidence == "medium"
    assert "1e-4 on the kernel" in found.advice[0].text


def test_what_fell_gets_a_tenth_and_the_other_keeps_its_decay() -> None:
    found = fires(RULE, trained(decayed(1e-2, 5e-3, 2e-3), series=FALLEN))
    assert "1e-3 on the kernel, 5e-3 on the recurrent kernel" in found.advice[0].text
    # Biases get no more than either kernel.
    assert found.advice[0].snippet.count("L2(1e-3)") == 2
    assert "L2(5e-3)" in found.advice[0].snippet


def test_undecayed_biases_stay_so() -> None:
    found = fires(RULE, trained(decayed(1e-2, 1e-2, 0.0), series=FALLEN))
    assert "bias_regularizer" not in found.advice[0].snippet


def test_a_collapse_to_zero_is_seen_at_the_last_norm_that_is_not() -> None:
    series = checkpoints((8, 4, 1, 0.0), (10, 9, 8, 8))
    assert fires(RULE, trained(series=series)).evidence["checkpoints"] == 3


def test_skipped_without_enough_checkpoints() -> None:
    assert "--series" in skips(RULE, trained())
    assert "2 checkpoints" in skips(RULE, trained(series=checkpoints((8, 1), (8, 1))))


def shrunk(
    kernel: float, recurrent: float, own: LayerSettings | None = None, series: Series | None = None
) -> Report:
    """A layer whose kernels are so many times as large as when they were initialised."""
    growth = InitialGrowth(
        kernel=kernel, recurrent=recurrent, bias=None, initialisation="Keras: glorot_uniform"
    )
    made = layer(measurements={"initial_growth": growth})
    return trained(own, made, series=series)


def test_a_layer_that_is_barely_used_gets_a_note_without_a_series() -> None:
    found = fires(RULE, shrunk(0.49, 0.3))
    assert (found.severity, found.confidence) == ("note", "medium")
    assert "are 0.49 and 0.3 times as large as at the start, both under 0.5" in found.message
    assert "default initialisation" in (found.doubt or "")
    assert found.measured == Measured(name="initial_growth", value=0.49, worse="lower")
    # Nothing is known to decay it: no decay can be taken back.
    (only,) = found.advice
    assert only.source == "A: introspection"


@pytest.mark.parametrize(("kernel", "recurrent"), [(0.5, 0.3), (0.3, 0.5), (0.1, 1.2)])
def test_one_matrix_that_is_as_it_was_makes_the_layer_used(kernel: float, recurrent: float) -> None:
    assert "--series" in skips(RULE, shrunk(kernel, recurrent))


def test_where_a_barely_used_layer_is_decayed_a_tenth_of_that_comes_first() -> None:
    found = fires(RULE, shrunk(0.2, 0.2, decayed(1e-2, 5e-3, 0.0)))
    assert "1e-3 on the kernel, 5e-4 on the recurrent kernel" in found.advice[0].text
    assert "L2(1e-3)" in found.advice[0].snippet
    assert len(found.advice) == 2


def test_what_a_series_tells_comes_before_the_size() -> None:
    found = fires(RULE, shrunk(0.2, 0.2, decayed(1e-2, 1e-2), FALLEN))
    assert found.severity == "warning"
    steady = checkpoints((8, 8, 8), (9, 9, 9))
    assert fires(RULE, shrunk(0.2, 0.2, decayed(1e-2, 1e-2), steady)).severity == "note"
    quiet(RULE, shrunk(0.6, 0.2, decayed(1e-2, 1e-2), steady))


def test_the_share_of_the_initial_size_can_be_set() -> None:
    skips(RULE, shrunk(0.4, 0.4), thresholds={RULE: {"used": 0.3}})


def test_without_a_series_and_an_initial_size_there_is_nothing_to_compare() -> None:
    facts = {"initial_growth": Skipped(reason="the weights are not finite")}
    assert "--series" in skips(RULE, trained(of=layer(measurements=facts)))
