from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rule_reports import HEALTHY, fires, layer, norms, quiet, report, skips, span, synthetic
from rule_settings import decayed, trained

from rnndiag.measurements.lyapunov import Lyapunov
from rnndiag.records import LayerReport, Measured, Skipped

RULE = "RNN303"
SHORT = {"gradient_span": span(span=9, timesteps=50)}
GROWING = {"gradient_span": span(growth=10.1)}
FADING = {"lyapunov": Lyapunov(top=-0.6, standard_error=0.01, asymptotic_span=8.7, samples=4)}
BIASED = {"preactivation_budget": replace(HEALTHY["preactivation_budget"], bias=0.51, rms_bias=2.6)}


def uneven(ratio: float | None, *signs: dict[str, Any], **changes: Any) -> LayerReport:
    facts: dict[str, Any] = {"weight_norms": norms(recurrent_kernel_ratio=ratio)}
    for sign in signs:
        facts |= sign
    return layer(measurements=facts, **changes)


def test_quiet_on_a_healthy_layer() -> None:
    quiet(RULE, report())


# .41 and 1.44 are those of two samples, .27 and 1.37 the ends of the published models.
@pytest.mark.parametrize("ratio", [0.25, 0.27, 0.41, 1.37, 1.44, 2.0])
def test_quiet_up_to_the_cuts(ratio: float) -> None:
    quiet(RULE, report(uneven(ratio, SHORT)))


@pytest.mark.parametrize(
    ("ratio", "direction", "cut"), [(0.24, "lower", "0.25"), (2.1, "higher", "more than 2")]
)
def test_warns_by_the_ratio_alone(ratio: float, direction: str, cut: str) -> None:
    found = fires(RULE, report(uneven(ratio)))
    assert found.severity == "warning"
    assert found.measured == Measured(
        name="recurrent_kernel_ratio",
        value=ratio,
        worse=direction,  # type: ignore[arg-type]
    )
    assert cut in found.message


@pytest.mark.parametrize("ratio", [0.14, 4.1])
@pytest.mark.parametrize("sign", [SHORT, GROWING, FADING, BIASED])
def test_an_error_takes_a_second_sign(ratio: float, sign: dict[str, Any]) -> None:
    assert fires(RULE, report(uneven(ratio, sign))).severity == "error"
    assert fires(RULE, report(uneven(ratio))).severity == "warning"


@pytest.mark.parametrize("ratio", [0.15, 4.0])
def test_a_second_sign_makes_no_error_at_the_outer_cuts(ratio: float) -> None:
    found = fires(RULE, report(uneven(ratio, GROWING)))
    assert found.severity == "warning"
    assert "grows 10.1 times" in found.message


@pytest.mark.parametrize(
    "sign",
    [
        {"gradient_span": span(span=10)},
        {"gradient_span": span(span=9, censored=True)},
        {"gradient_span": span(span=9, timesteps=49)},
        {"gradient_span": span(growth=10.0)},
        {"lyapunov": replace(HEALTHY["lyapunov"], asymptotic_span=10.0)},
        {"preactivation_budget": replace(HEALTHY["preactivation_budget"], bias=0.5, rms_bias=9.0)},
        {"preactivation_budget": replace(HEALTHY["preactivation_budget"], bias=0.9, rms_bias=2.5)},
    ],
)
def test_what_its_own_rule_lets_pass_is_no_second_sign(sign: dict[str, Any]) -> None:
    assert fires(RULE, report(uneven(5.0, sign))).severity == "warning"


def test_signs_on_made_up_input_do_not_count() -> None:
    found = fires(RULE, synthetic(report(uneven(5.0, GROWING))))
    assert (found.severity, found.evidence["second_signs"]) == ("warning", [])
    alone = uneven(5.0, GROWING, reason="fed with noise by itself")
    assert fires(RULE, report(alone)).severity == "warning"


def test_fires_without_any_second_measurement() -> None:
    missing = {
        name: Skipped(reason="no states")
        for name in ("gradient_span", "lyapunov", "preactivation_budget")
    }
    assert fires(RULE, report(uneven(5.0, missing))).severity == "warning"


def test_decays_of_their_own_come_first() -> None:
    facts = {"weight_norms": norms(kernel=2.0, recurrent=20.0, recurrent_kernel_ratio=5.0)}
    found = fires(RULE, report(layer(measurements=facts)))
    assert "1e-5 on the kernel, 1e-4 on the recurrent kernel" in found.advice[0].text
    assert "L2(1e-5)" in found.advice[0].snippet


def test_an_orthogonal_start_is_not_advised_where_there_was_one() -> None:
    started = {"class_name": "LSTM", "units": 64, "recurrent_initializer": "orthogonal"}
    assert len(fires(RULE, report(uneven(5.0))).advice) == 2
    assert len(fires(RULE, report(uneven(5.0, arguments=started))).advice) == 1


def test_skipped_where_the_kernel_is_zero() -> None:
    assert "kernel is 0" in skips(RULE, report(uneven(None)))


def test_a_second_sign_is_as_sure_as_the_wiring_it_was_seen_with() -> None:
    made = report(uneven(5.0, GROWING))
    assert fires(RULE, made).confidence == "high"
    assumed = replace(made, probe=replace(made.probe, wiring="assumed"))
    found = fires(RULE, assumed)
    assert (found.severity, found.confidence) == ("error", "medium")
    assert found.doubt == "the second sign was seen with assumed wiring"
    # The ratio alone takes no probe.
    alone = replace(report(uneven(5.0)), probe=assumed.probe)
    assert (fires(RULE, alone).severity, fires(RULE, alone).confidence) == ("warning", "high")


def test_of_known_decays_that_of_the_larger_weights_is_raised() -> None:
    found = fires(RULE, trained(decayed(1e-4, 1e-4), uneven(5.0)))
    assert "1e-4 on the kernel, 1e-3 on the recurrent kernel (1e-4 and 1e-4" in found.advice[0].text
    found = fires(RULE, trained(decayed(1e-4, 1e-4), uneven(0.2)))
    assert "1e-3 on the kernel, 1e-4 on the recurrent kernel (1e-4 and 1e-4" in found.advice[0].text
    found = fires(RULE, trained(decayed(1e-4, 1e-2), uneven(5.0)))
    assert found.advice[0].source == "A: weight constraints"
