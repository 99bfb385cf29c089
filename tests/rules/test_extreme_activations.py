from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rule_reports import HEALTHY, answers, fires, layer, norms, quiet, report, skips, synthetic
from rule_settings import decayed, trained

from rnndiag.records import Finding, InputScale, LayerReport, Measured, Skipped, Surrounding

RULE = "RNN202"
CUTS = {"LSTM": (0.15, 0.50), "GRU": (0.35, 0.60), "SimpleRNN": (0.40, 0.70)}


def extreme(share: float | None, kind: str = "LSTM", **measurements: Any) -> LayerReport:
    activity = replace(HEALTHY["unit_activity"], extreme_share=share)
    return layer(kind, measurements={"unit_activity": activity, **measurements})


def leading(part: str) -> Any:
    """A budget of which `part` is the largest."""
    shares = {**dict.fromkeys(("kernel", "recurrent", "bias"), 0.1), part: 0.8}
    return replace(HEALTHY["preactivation_budget"], **shares)


def sources(found: Finding) -> list[str]:
    return [step.source for step in found.advice]


@pytest.mark.parametrize("kind", CUTS)
def test_each_kind_of_cell_has_its_cuts(kind: str) -> None:
    warning, error = CUTS[kind]
    quiet(RULE, report(extreme(warning, kind)))
    found = fires(RULE, report(extreme(warning + 0.003, kind)))
    assert found.severity == "warning"
    assert f"{100 * warning + 0.3:g}% of the outputs" in found.message
    assert f"more than {100 * warning:g}%" in found.message
    assert fires(RULE, report(extreme(error, kind))).severity == "warning"
    found = fires(RULE, report(extreme(error + 0.01, kind)))
    assert found.severity == "error"
    assert found.measured == Measured(name="extreme_share", value=error + 0.01, worse="higher")
    assert f"more than {100 * error:g}%" in found.message


def test_quiet_on_a_healthy_layer() -> None:
    quiet(RULE, report())


def test_in_few_units_it_counts_for_less() -> None:
    for units, severity in ((15, "warning"), (16, "error")):
        found = fires(RULE, report(replace(extreme(0.6), hidden_size=units)))
        assert found.severity == severity
    assert found.capped is None
    for units, severity in ((15, "note"), (16, "warning")):
        found = fires(RULE, report(replace(extreme(0.2), hidden_size=units)))
        assert found.severity == severity
    found = fires(RULE, report(replace(extreme(0.6), hidden_size=5)))
    assert found.capped == "error by the numbers, but of 5 units alone"
    found = fires(RULE, synthetic(report(replace(extreme(0.2), hidden_size=5))))
    assert found.severity == "note"
    assert found.capped == "warning by the numbers, but of 5 units alone"


def test_skipped_without_bounds() -> None:
    assert "no bounds" in skips(RULE, report(extreme(None)))


def test_skipped_without_states() -> None:
    facts = {"unit_activity": Skipped(reason="the states are not finite")}
    assert "not finite" in skips(RULE, report(layer(measurements=facts)))


def test_made_up_input_makes_it_a_warning() -> None:
    assert fires(RULE, synthetic(report(extreme(0.9)))).severity == "warning"


def test_a_threshold_can_be_set() -> None:
    quiet(RULE, report(extreme(0.2)), thresholds={RULE: {"lstm_warning": 0.25}})


def test_the_largest_part_of_the_pre_activations_comes_first() -> None:
    recurrent = fires(RULE, report(extreme(0.3, preactivation_budget=leading("recurrent"))))
    assert sources(recurrent)[0] == "A: weight decay 1"
    kernel = fires(RULE, report(extreme(0.3, preactivation_budget=leading("kernel"))))
    assert sources(kernel)[0] == "B: normalization"
    assert "scale the inputs" in kernel.advice[0].text
    assert set(sources(kernel)) == set(sources(recurrent))


def test_decay_without_a_budget_is_first_too() -> None:
    facts = {"preactivation_budget": Skipped(reason="all pre-activations are zero")}
    assert sources(fires(RULE, report(extreme(0.3, **facts))))[0] == "A: weight decay 1"


def test_decays_are_fitted_to_the_kernels() -> None:
    budget = {"preactivation_budget": leading("recurrent"), "weight_norms": norms(kernel=2.0)}
    first = fires(RULE, report(extreme(0.3, **budget))).advice[0]
    # ‖K‖ is a fifth of ‖R‖ = 10.
    assert "2e-5 on the kernel, 1e-4 on the recurrent kernel" in first.text


def test_decay_goes_on_from_what_there_is() -> None:
    first = fires(RULE, trained(decayed(1e-4, 1e-4), extreme(0.3))).advice
    assert any("more weight decay: 1e-3 on the kernel" in step.text for step in first)
    bounded = fires(RULE, trained(decayed(0.01, 0.01), extreme(0.3))).advice
    assert "A: weight constraints" in [step.source for step in bounded]
    assert not any("weight decay" in step.text for step in bounded)


def test_no_normalization_where_there_is_some() -> None:
    norm = Surrounding(name="norm", kind="LayerNormalization")
    for index in (0, 1):
        made = replace(extreme(0.3), index=index)
        assert any("normalize" in step.text for step in fires(RULE, report(made)).advice)
        found = fires(RULE, report(made, network=(norm,)))
        assert not any("normalize" in step.text for step in found.advice)


def test_what_the_inputs_reach_is_said() -> None:
    made = report(extreme(0.3))
    scale = InputScale(means=(0.0,), deviations=(90.0,), largest=(312.7,))
    made = replace(made, probe=replace(made.probe, inputs=(scale, replace(scale, largest=(1.0,)))))
    assert any("reach 313 in the probe" in step.text for step in fires(RULE, made).advice)


@pytest.mark.parametrize(("largest", "advised"), [(1.0, False), (1.1, True)])
def test_inputs_that_reach_no_further_than_one_are_left_alone(
    largest: float, advised: bool
) -> None:
    """One-hot symbols: scaled to variance 1 they would push all the harder."""
    made = report(extreme(0.3))
    scale = InputScale(means=(0.05,), deviations=(0.22,), largest=(largest,))
    made = replace(made, probe=replace(made.probe, inputs=(scale,)))
    texts = [step.text for step in fires(RULE, made).advice]
    assert any("scale the inputs" in text for text in texts) == advised
    assert any("normalize around" in text for text in texts)


def test_a_layer_that_others_feed_is_normalized_instead() -> None:
    made = extreme(0.3, preactivation_budget=leading("kernel"))
    embedding = Surrounding(name="embedding", kind="Embedding")
    for fed in (
        report(replace(made, index=1)),
        report(made, network=(embedding,)),
        report(layer(name="first", id="first"), made),
    ):
        (found,) = [item for item in answers(RULE, fed) if isinstance(item, Finding)]
        assert "normalize" in found.advice[0].text
        assert not any("scale the inputs" in step.text for step in found.advice)
