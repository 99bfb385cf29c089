from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rule_reports import answers, fires, layer, quiet, report, skips, span, synthetic

from rnndiag.records import Finding, LayerReport, Measured, Report, Skipped, Surrounding

RULE = "RNN501"


def reading(timesteps: int, **changes: Any) -> LayerReport:
    return layer(measurements={"gradient_span": span(timesteps=timesteps)}, **changes)


def fed(timesteps: int, *layers: LayerReport, **changes: Any) -> Report:
    """A report on a real probe of so many timesteps."""
    made = report(*(layers or (reading(timesteps),)), **changes)
    return replace(made, probe=replace(made.probe, timesteps=timesteps))


def test_quiet_up_to_a_thousand_timesteps() -> None:
    quiet(RULE, report())
    quiet(RULE, fed(1000))


def test_fires_above() -> None:
    found = fires(RULE, fed(1001))
    assert found.severity == "note"
    assert found.measured == Measured(name="timesteps", value=1001.0, worse="higher")
    assert "the layer reads 1001 timesteps, more than 1000" in found.message


@pytest.mark.parametrize(
    ("timesteps", "stride", "left"), [(1001, 2, 501), (2000, 2, 1000), (4500, 5, 900)]
)
def test_the_stride_leaves_about_a_thousand(timesteps: int, stride: int, left: int) -> None:
    (step,) = fires(RULE, fed(timesteps)).advice
    assert f"a stride of {stride} in front: {left} of {timesteps}" in step.text
    assert f"strides={stride}" in step.snippet


def test_quiet_where_something_in_front_has_shortened_them() -> None:
    quiet(RULE, fed(4000, reading(1000)))


def test_quiet_at_all_layers_but_the_first() -> None:
    layers = (
        reading(2000, name="both", id="both"),
        reading(2000, name="both", id="both", direction="backward"),
        reading(2000, name="top", id="top"),
    )
    found = [own for own in answers(RULE, fed(2000, *layers)) if isinstance(own, Finding)]
    assert [(own.layer, own.direction) for own in found] == [("both", "forward")]


def test_the_probe_tells_where_the_gradient_does_not() -> None:
    silent = layer(measurements={"gradient_span": Skipped(reason="the gradient is zero")})
    assert fires(RULE, fed(3000, silent)).evidence == {
        "timesteps": 3000,
        "span": None,
        "source": "file",
    }


def test_a_censored_span_is_marked() -> None:
    censored = span(timesteps=2000, span=2000, censored=True)
    made = fed(2000, layer(measurements={"gradient_span": censored}))
    assert fires(RULE, made).evidence["span"] == "≥ 2000"


def test_skipped_on_made_up_lengths() -> None:
    assert "--probe" in skips(RULE, synthetic(fed(5000)))
    free = Surrounding(name="x", kind="InputLayer", arguments={"batch_shape": (None, None, 3)})
    scalar = Surrounding(name="z", kind="InputLayer", arguments={"batch_shape": (None,)})
    assert "--probe" in skips(RULE, synthetic(fed(5000, network=(scalar, free))))


def test_a_made_up_probe_has_the_length_that_the_network_fixes() -> None:
    fixed = Surrounding(name="x", kind="InputLayer", arguments={"batch_shape": [None, 5000, 3]})
    found = fires(RULE, synthetic(fed(5000, network=(fixed,))))
    assert (found.severity, found.confidence) == ("note", "high")


def test_a_threshold_can_be_set() -> None:
    step = fires(RULE, fed(450), thresholds={RULE: {"timesteps": 150}}).advice[0]
    assert "a stride of 3 in front: 150 of 450" in step.text
