from __future__ import annotations

from dataclasses import replace
from typing import Any

from rule_reports import HEALTHY, answers, fires, layer, quiet, report, synthetic

from rnndiag.records import (
    Finding,
    LayerReport,
    Measured,
    Passed,
    Report,
    Series,
    Setting,
    Settings,
    Skipped,
    WeightSizes,
)

RULE = "RNN301"
_DEPENDENT = ("gradient_span", "lyapunov", "unit_activity", "gate_activity", "weight_norms")


def broken(**counts: int) -> LayerReport:
    """A layer with as many values that are not finite in each tensor given."""
    values = replace(
        HEALTHY["non_finite"], **counts, total=sum(counts.values()), tensors=tuple(counts)
    )
    rest = dict.fromkeys(_DEPENDENT, Skipped(reason="the weights are not finite"))
    return layer(measurements={**rest, "non_finite": values})


def series(**weights: Any) -> Series:
    sizes = WeightSizes(**{"kernel": (8.0, 8.1, None), "recurrent": (9.0, 9.1, None), **weights})
    return Series(
        checkpoints=("one.pt", "two.pt", "three.pt"),
        steps=(1, 2, 3),
        layers={"lstm/forward": sizes},
    )


def test_quiet_on_a_healthy_layer() -> None:
    quiet(RULE, report())


def test_one_value_is_an_error() -> None:
    found = fires(RULE, report(broken(recurrent_kernel=1)))
    assert "1 in the recurrent kernel" in found.message
    assert (found.severity, found.confidence) == ("error", "high")
    assert found.measured == Measured(name="non_finite", value=1, worse="higher")


def test_which_tensors_and_how_many() -> None:
    found = fires(RULE, report(broken(kernel=120, bias=8, states=1600)))
    assert found.message == (
        "128 weights are NaN or infinite, more than 0: 120 in the kernel, 8 in the bias"
    )
    # How many states are touched depends on the probe alone.
    assert found.measured == Measured(name="non_finite", value=128, worse="higher")
    assert found.evidence["states"] == 1600
    assert found.evidence["parameters"] == ["lstm/kernel", "lstm/bias"]
    assert found.evidence["kernel"] == 120


def test_broken_weights_are_an_error_on_made_up_input_too() -> None:
    found = fires(RULE, synthetic(report(broken(kernel=3, states=1600))))
    assert found.severity == "error"
    assert found.capped is None


def test_broken_states_alone_may_be_the_fault_of_made_up_input() -> None:
    made = report(broken(states=1600))
    found = fires(RULE, made)
    assert found.severity == "error"
    assert found.evidence["parameters"] == []
    assert found.message.startswith("1600 state values are NaN or infinite, more than 0")
    assert found.measured == Measured(name="non_finite", value=1600, worse="higher")
    assert "the weights are finite" in found.advice[0].text
    assert fires(RULE, synthetic(made)).severity == "warning"
    alone = replace(broken(states=1600), reason="fed with noise")
    assert fires(RULE, report(alone)).severity == "warning"


def test_the_last_good_checkpoint_is_named() -> None:
    def first(known: Series | None) -> str:
        return fires(RULE, report(broken(kernel=1), series=known)).advice[0].text

    biases = (0.1, None, None)
    assert "go back to two.pt" in first(series(bias=()))
    assert "go back to one.pt" in first(series(bias=biases))
    nowhere = "go back to the last checkpoint without"
    assert nowhere in first(series(bias=(None, None, None)))
    assert nowhere in first(replace(series(bias=()), layers={}))
    assert nowhere in first(None)


def test_clipping_and_a_lower_learning_rate() -> None:
    known = Settings(learning_rate=Setting(value=0.01, source="config"))
    *_, clipping, rate = fires(RULE, report(broken(kernel=1), settings=known)).advice
    assert "clip gradients at a norm of 1" in clipping.text
    assert "from 0.01 to 0.003" in rate.text
    assert clipping.snippet
    assert rate.snippet


# ---------------------------------------------------------------- outside the recurrent layers


def beside(made: Report, **counts: int) -> Report:
    """The same, with values that are not finite in arrays of other layers."""
    return replace(made, checkpoint=replace(made.checkpoint, non_finite=counts))


def test_values_of_other_layers_are_a_note() -> None:
    found = fires(RULE, synthetic(beside(report(), head=1, table=40)))
    assert (found.severity, found.confidence) == ("note", "high")
    assert "41 weights of layers that are not recurrent are NaN or infinite" in found.message
    assert "1 in head, 40 in table;" in found.message
    assert found.evidence == {"parameters": ["head", "table"], "values": [1, 40]}
    assert found.measured == Measured(name="non_finite_elsewhere", value=41, worse="higher")
    assert "by design" in found.advice[0].text


def test_few_of_many_arrays_are_named() -> None:
    found = fires(RULE, beside(report(), a=1, b=2, c=3, d=4, e=5))
    assert "15 weights" in found.message
    assert "1 in a, 2 in b, 3 in c, and 2 more arrays;" in found.message


def test_the_note_stands_once_at_the_first_layer_that_is_sound() -> None:
    missing = layer(id="conv", analysed=False, measurements={})
    three = (missing, replace(broken(kernel=2), id="bad"), layer(id="one"), layer(id="two"))
    error, note, passed = answers(RULE, beside(report(*three), head=1))
    assert isinstance(error, Finding)
    assert isinstance(note, Finding)
    assert isinstance(passed, Passed)
    assert (error.layer, error.severity) == ("bad", "error")
    assert (note.layer, note.severity) == ("one", "note")
    assert passed.layer == "two"


def test_broken_states_lead_to_the_broken_layer() -> None:
    found = fires(RULE, beside(report(broken(states=1600)), embedding=7))
    assert found.severity == "error"
    assert found.advice[0].text.endswith("it first; other layers have 7 in embedding")
