from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rule_reports import (
    HEALTHY,
    fires,
    gate,
    gates,
    layer,
    norms,
    quiet,
    report,
    skips,
    synthetic,
)

from rnndiag.measurements.gate_activity import GateActivity
from rnndiag.records import Finding, LayerReport, Measured, Skipped, Surrounding

RULE = "RNN203"


def stuck(units: int = 64, measurements: dict[str, Any] | None = None, **by: float) -> LayerReport:
    """An LSTM in which a share of each gate given is stuck low."""
    activity = gates(**{n: gate(stuck_share=s, left_stuck_share=s) for n, s in by.items()})
    return layer(
        measurements={"gate_activity": activity, **(measurements or {})}, hidden_size=units
    )


def sources(found: Finding) -> list[str]:
    return [step.source for step in found.advice]


def test_quiet_on_a_healthy_layer() -> None:
    quiet(RULE, report())


@pytest.mark.parametrize("name", ["input", "candidate", "output"])
def test_gates_that_do_not_keep(name: str) -> None:
    quiet(RULE, report(stuck(**{name: 0.40})))
    assert fires(RULE, report(stuck(**{name: 0.405}))).severity == "warning"
    assert fires(RULE, report(stuck(**{name: 0.70}))).severity == "warning"
    found = fires(RULE, report(stuck(**{name: 0.705})))
    assert found.severity == "error"
    assert f"{name} stuck in 70.5% of the units, more than 70%" in found.message
    assert found.measured == Measured(name=f"{name}_stuck_share", value=0.705, worse="higher")


def test_a_shut_forget_gate() -> None:
    quiet(RULE, report(stuck(forget=0.30)))
    assert fires(RULE, report(stuck(forget=0.305))).severity == "warning"
    assert fires(RULE, report(stuck(forget=0.60))).severity == "warning"
    found = fires(RULE, report(stuck(forget=0.605)))
    assert found.severity == "error"
    assert "forget shut in 60.5% of the units, more than 60%" in found.message


def test_a_shut_update_gate() -> None:
    activity = GateActivity({"update": gate(stuck_share=0.35), "reset": gate(stuck_share=0.35)})
    found = fires(RULE, report(layer("GRU", measurements={"gate_activity": activity})))
    assert found.severity == "warning"
    assert "update" in found.message
    assert "reset" not in found.message


def test_an_open_forget_gate_is_a_long_memory() -> None:
    activity = gates(forget=gate(right_stuck_share=0.9, stuck_share=0.0))
    quiet(RULE, report(layer(measurements={"gate_activity": activity})))


def test_several_gates_are_all_named_and_the_worst_is_measured() -> None:
    found = fires(RULE, report(stuck(input=0.5, forget=0.6, output=0.75)))
    assert found.severity == "error"
    for name in ("input stuck in 50%", "forget shut in 60%", "output stuck in 75%"):
        assert name in found.message
    assert "candidate" not in found.message
    assert found.measured is not None
    assert found.measured.name == "forget_stuck_share"  # twice its cut, output 1.9 times
    assert found.evidence["input"]["low"] == 0.5


def test_few_units_get_a_note() -> None:
    found = fires(RULE, report(stuck(units=15, input=0.9)))
    assert found.severity == "note"
    assert found.capped == "error by the numbers, but of 15 units alone"
    assert fires(RULE, report(stuck(units=16, input=0.9))).severity == "error"


def test_made_up_input_makes_it_a_warning() -> None:
    assert fires(RULE, synthetic(report(stuck(input=0.9)))).severity == "warning"


def test_skipped_without_gates() -> None:
    facts = {"gate_activity": Skipped(reason="a SimpleRNN has no gates")}
    assert "no gates" in skips(RULE, report(layer("SimpleRNN", measurements=facts)))


def test_a_shut_forget_gate_starts_again_with_longer_memories() -> None:
    first = fires(RULE, report(stuck(forget=0.5))).advice[0]
    assert "up to 100 steps" in first.text  # the probe's
    assert first.snippet
    assert "up to 30 steps" in fires(RULE, report(stuck(forget=0.5)), lag=30).advice[0].text
    assert not any("memories" in step.text for step in fires(RULE, report(stuck(input=0.5))).advice)


def test_biases_that_dominate_are_decayed_first() -> None:
    shares = {"kernel": 0.1, "recurrent": 0.1, "bias": 0.8}
    budget = {"preactivation_budget": replace(HEALTHY["preactivation_budget"], **shares)}
    first = fires(RULE, report(stuck(measurements=budget, input=0.5))).advice[0]
    assert first.source == "A: what to do 9"
    # ‖K‖ = 8 and ‖R‖ = 10: the kernel's 8e-5, rounded, is the smaller of the two.
    assert "decay the biases by 1e-4, and the kernels, which need no less, by 1e-4" in first.text


def test_no_decay_for_biases_that_are_not_there() -> None:
    found = fires(RULE, report(stuck(measurements={"weight_norms": norms(bias=None)}, input=0.5)))
    assert "A: what to do 9" not in sources(found)
    assert "A: weight decay 1" in sources(found)


def test_no_normalization_where_there_is_some() -> None:
    norm = Surrounding(name="norm", kind="LayerNormalization")
    assert any("normalize" in step.text for step in fires(RULE, report(stuck(input=0.5))).advice)
    found = fires(RULE, report(stuck(input=0.5), network=(norm,)))
    assert not any("normalize" in step.text for step in found.advice)
