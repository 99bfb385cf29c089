"""What the probe cannot carry is taken back, whatever rule says it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rule_reports import HEALTHY, fires, layer, norms, report, span, synthetic

from rnndiag.records import LayerReport, Report


def padded(share: float, **activity: Any) -> Report:
    """So many of the steps that states and gates rest on are padding."""
    return report(on_padding(share, **activity))


def on_padding(share: float, **activity: Any) -> LayerReport:
    fact = replace(HEALTHY["unit_activity"], padding_share=share, **activity)
    return layer(measurements={"unit_activity": fact})


@pytest.mark.parametrize(
    ("share", "severity", "confidence"),
    [
        (0.0, "error", "high"),
        (0.2, "error", "high"),
        (0.21, "error", "low"),
        (0.5, "error", "low"),
        (0.51, "note", "low"),
        (1.0, "note", "low"),
    ],
)
def test_padding_takes_back_what_rests_on_states(
    share: float, severity: str, confidence: str
) -> None:
    found = fires("RNN202", padded(share, extreme_share=0.6))
    assert (found.severity, found.confidence) == (severity, confidence)
    assert (found.capped is None) == (severity == "error")
    assert ("trim the probe" in found.advice[0].text) == (severity == "note")


def test_padding_is_named_with_its_share() -> None:
    found = fires("RNN202", padded(0.861, extreme_share=0.208))
    assert found.doubt == "86% of the steps are padding that the network does not mask"
    assert found.capped == "warning by the numbers, but 86% of the steps are padding"


def test_a_note_is_not_capped_and_still_told_to_trim_the_probe() -> None:
    made = on_padding(0.9)
    narrow = replace(HEALTHY["state_dimension"], participation_share=0.01)
    made = replace(made, measurements={**made.measurements, "state_dimension": narrow})
    found = fires("RNN204", report(made))
    assert (found.severity, found.confidence, found.capped) == ("note", "low", None)
    assert "mask the padding" in found.advice[0].text


@pytest.mark.parametrize("rule", ["RNN101", "RNN303"])
def test_padding_does_not_touch_gradients_and_weights(rule: str) -> None:
    made = on_padding(0.9)
    facts = {
        "gradient_span": span(span=2, by_seed=(2,)),
        "weight_norms": norms(recurrent_kernel_ratio=0.1),
    }
    found = fires(rule, report(replace(made, measurements={**made.measurements, **facts})))
    assert (found.severity, found.confidence) == ("error", "high")


def test_doubts_of_the_same_weight_are_all_told() -> None:
    facts = {"gradient_span": span(span=8, by_seed=(8,), cotangent="isotropic")}
    assumed = replace(report().probe, wiring="assumed")
    found = fires("RNN101", synthetic(replace(report(layer(measurements=facts)), probe=assumed)))
    assert found.confidence == "medium"
    assert found.doubt == (
        "the pulse is random unit vectors, no loss of the network; "
        "the wiring of a state dict is assumed; measured on made-up input"
    )


def test_a_lesser_doubt_is_not_told_beside_a_greater() -> None:
    facts = {"gradient_span": span(span=8, by_seed=(6, 8, 14))}
    found = fires("RNN101", synthetic(report(layer(measurements=facts))))
    assert (found.confidence, found.doubt) == ("low", "spans by seed: 6, 8, 14")


def test_a_severity_that_the_user_chose_is_not_capped() -> None:
    made = synthetic(report(layer(measurements={"gradient_span": span(span=2, by_seed=(2,))})))
    assert fires("RNN101", made).capped == "error by the numbers, but measured on made-up input"
    found = fires("RNN101", made, severity={"RNN101": "error"})
    assert (found.severity, found.capped) == ("error", None)
