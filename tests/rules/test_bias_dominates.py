from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rule_reports import HEALTHY, fires, gate, gates, layer, norms, quiet, report, skips, synthetic
from rule_settings import decayed, trained

from rnndiag.records import LayerReport, LayerSettings, Measured, Skipped

RULE = "RNN302"
STUCK = {"gate_activity": gates(output=gate(stuck_share=0.51))}


def leaning(
    share: float, rms: float, kind: str = "LSTM", units: int = 64, **facts: Any
) -> LayerReport:
    """A layer whose biases are `share` of its pre-activations, at an RMS of `rms`."""
    budget = replace(
        HEALTHY["preactivation_budget"],
        kernel=(1 - share) / 2,
        recurrent=(1 - share) / 2,
        bias=share,
        rms_bias=rms,
    )
    return layer(kind, measurements={"preactivation_budget": budget, **facts}, hidden_size=units)


def active(**changes: Any) -> dict[str, Any]:
    return {"unit_activity": replace(HEALTHY["unit_activity"], **changes)}


def ratio(value: float) -> dict[str, Any]:
    return {"weight_norms": norms(bias_kernel_ratio=value)}


def test_quiet_on_a_healthy_layer() -> None:
    quiet(RULE, report())


def test_fires_where_share_and_size_are_over_their_cuts() -> None:
    found = fires(RULE, report(leaning(0.51, 2.6)))
    assert found.severity == "warning"
    assert found.measured == Measured(name="bias_share", value=0.51, worse="higher")
    assert "51%" in found.message
    assert "2.6" in found.message


@pytest.mark.parametrize(("share", "rms"), [(0.50, 9.0), (0.9, 2.5), (0.9, 0.3)])
def test_quiet_at_either_cut(share: float, rms: float) -> None:
    quiet(RULE, report(leaning(share, rms)))


@pytest.mark.parametrize(
    ("kind", "facts", "told"),
    [
        ("LSTM", STUCK, "output gate"),
        ("LSTM", active(extreme_share=0.51), "ends of their range"),
        ("GRU", active(extreme_share=0.61), "ends of their range"),
        ("SimpleRNN", active(dead_share=0.36), "dead"),
    ],
)
def test_an_error_where_units_cannot_answer_any_more(
    kind: str, facts: dict[str, Any], told: str
) -> None:
    found = fires(RULE, report(leaning(0.56, 4.1, kind, **facts)))
    assert found.severity == "error"
    assert told in found.message


@pytest.mark.parametrize(
    "made",
    [
        leaning(0.56, 4.1),
        leaning(0.55, 4.1, **STUCK),
        leaning(0.56, 4.0, **STUCK),
        leaning(0.56, 4.1, units=15, **STUCK),
        leaning(0.56, 4.1, gate_activity=gates(output=gate(stuck_share=0.5))),
        leaning(0.56, 4.1, "GRU", **active(extreme_share=0.6)),
        leaning(0.56, 4.1, "SimpleRNN", **active(dead_share=0.35)),
    ],
)
def test_no_error_where_one_condition_is_missing(made: LayerReport) -> None:
    assert fires(RULE, report(made)).severity == "warning"


def test_sixteen_units_are_enough_for_an_error() -> None:
    assert fires(RULE, report(leaning(0.56, 4.1, units=16, **STUCK))).severity == "error"


def test_cells_without_gates_or_bounds_are_judged_by_what_there_is() -> None:
    facts = {
        "gate_activity": Skipped(reason="no gates"),
        **active(extreme_share=None, dead_share=0.5),
    }
    assert fires(RULE, report(leaning(0.6, 5, "SimpleRNN", **facts))).severity == "error"
    facts["unit_activity"] = Skipped(reason="one step")
    assert fires(RULE, report(leaning(0.6, 5, "SimpleRNN", **facts))).severity == "warning"


def test_fires_by_the_ratio_to_the_kernel() -> None:
    found = fires(RULE, report(leaning(0.3, 2.6, **ratio(12.1))))
    assert found.severity == "warning"
    assert found.measured == Measured(name="bias_kernel_ratio", value=12.1, worse="higher")
    quiet(RULE, report(leaning(0.3, 2.6, **ratio(12.0))))
    quiet(RULE, report(leaning(0.3, 2.5, **ratio(30.0))))


def test_made_up_input_makes_a_warning_of_an_error() -> None:
    found = fires(RULE, synthetic(report(leaning(0.6, 5, **STUCK))))
    assert (found.severity, found.confidence) == ("warning", "medium")


def test_biases_get_no_more_decay_than_either_kernel() -> None:
    found = fires(RULE, trained(decayed(1e-3, 2e-4), leaning(0.6, 3)))
    assert "biases by 2e-4" in found.advice[0].text
    assert "L2(2e-4)" in found.advice[0].snippet
    # Half of the norm of 2 that the biases have.
    assert "at 1 (2 now)" in found.advice[1].text
    assert "bias_constraint=keras.constraints.MaxNorm(1" in found.advice[1].snippet


@pytest.mark.parametrize(
    "own", [decayed(), decayed(0.0, 0.0), decayed(1e-3), decayed(1e-3, 0.0), decayed(None, 1e-3)]
)
def test_kernels_that_are_not_both_decayed_get_fitted_values_too(own: LayerSettings) -> None:
    found = fires(RULE, trained(own, leaning(0.6, 3)))
    # ‖K‖ : ‖R‖ is 8 : 10, and .8e-4 is nearest to 1e-4.
    assert "1e-4 and 1e-4" in found.advice[0].text


def test_skipped_without_a_budget() -> None:
    made = layer(measurements={"preactivation_budget": Skipped(reason="all are zero")})
    assert skips(RULE, report(made)) == "all are zero"


def test_a_layer_without_biases_is_quiet() -> None:
    facts = {"weight_norms": norms(bias=None, rms_bias=None, bias_kernel_ratio=None)}
    quiet(RULE, report(leaning(0.0, 0.0, **facts)))
