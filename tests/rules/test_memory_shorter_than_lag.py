from __future__ import annotations

from dataclasses import replace

import pytest
from rule_reports import fires, layer, quiet, report, skips, span, synthetic
from rule_settings import decayed, trained

from rnndiag.measurements.lyapunov import Lyapunov
from rnndiag.measurements.timescale import Timescale
from rnndiag.records import LayerReport, Measured, Skipped, Surrounding

RULE = "RNN103"


def reaching(steps: int, timesteps: int = 100, tau: float = 1e3, **changes: object) -> LayerReport:
    """A layer whose span is all that may be short."""
    facts = {
        "gradient_span": span(
            **{"span": steps, "timesteps": timesteps, "by_seed": (steps,), **changes}
        ),
        "lyapunov": Lyapunov(top=0.0, standard_error=0.01, asymptotic_span=None, samples=16),
        "timescale": Timescale(p10=1.0, p50=3.0, p90=tau),
    }
    return layer(measurements=facts)


def test_skipped_without_a_lag() -> None:
    assert "--lag" in skips(RULE, report())


def test_a_span_shorter_than_the_lag() -> None:
    found = fires(RULE, report(reaching(59)), lag=60)
    assert (found.severity, found.confidence) == ("warning", "high")
    assert found.measured == Measured(name="span", value=59, worse="lower")
    assert "59 of 100" in found.message
    assert "lag of 60" in found.message


def test_seeds_that_disagree_lower_the_confidence() -> None:
    assert fires(RULE, report(reaching(59, by_seed=(50, 59, None))), lag=60).confidence == "high"
    assert fires(RULE, report(reaching(59, by_seed=(50, 60, None))), lag=60).confidence == "low"
    isotropic = reaching(59, cotangent="isotropic")
    assert fires(RULE, report(isotropic), lag=60).confidence == "medium"


def test_quiet_at_the_cut() -> None:
    quiet(RULE, report(reaching(60, tau=60)), lag=60)


def test_an_asymptotic_span_shorter_than_the_lag() -> None:
    made = reaching(60)
    fading = Lyapunov(top=-0.1, standard_error=0.01, asymptotic_span=47.25, samples=16)
    made = layer(measurements={**made.measurements, "lyapunov": fading})
    found = fires(RULE, report(made), lag=48)
    assert found.measured == Measured(name="asymptotic_span", value=47.25, worse="lower")
    assert "47.2 steps" in found.message
    quiet(RULE, report(made), lag=47)
    exactly = Lyapunov(top=-0.1, standard_error=0.01, asymptotic_span=48.0, samples=16)
    quiet(RULE, report(layer(measurements={**made.measurements, "lyapunov": exactly})), lag=48)


def test_a_timescale_shorter_than_the_lag_is_a_doubtful_note_where_the_span_is_long() -> None:
    found = fires(RULE, report(reaching(60, tau=12.5)), lag=50)
    assert (found.severity, found.confidence) == ("note", "low")
    assert found.measured == Measured(name="timescale_p90", value=12.5, worse="lower")
    assert "12.5 steps" in found.message
    quiet(RULE, report(reaching(60, tau=12.5)), lag=12)
    assert fires(RULE, report(reaching(60, tau=12.5)), lag=60).confidence == "low"


def test_sequences_shorter_than_the_lag_cannot_tell() -> None:
    made = report(reaching(100, censored=True))
    assert "sequences of 100 steps" in skips(RULE, made, lag=101)
    assert "--timesteps" in skips(RULE, made, lag=101)
    quiet(RULE, made, lag=100)


def test_sequences_shorter_than_the_lag_with_another_sign() -> None:
    found = fires(RULE, report(reaching(100, tau=30, censored=True)), lag=200)
    assert found.measured is not None
    assert found.measured.name == "timescale_p90"
    assert found.confidence == "medium"


def test_the_gates_can_be_asked_for_less() -> None:
    half = {RULE: {"timescale": 0.5}}
    quiet(RULE, report(reaching(60, tau=30)), lag=60, thresholds=half)
    assert fires(RULE, report(reaching(60, tau=29)), lag=60, thresholds=half)


def test_made_up_input_makes_it_a_note() -> None:
    found = fires(RULE, synthetic(report(reaching(20))), lag=60)
    assert found.severity == "note"
    assert "--probe" in found.advice[0].text


def test_skipped_without_a_gradient() -> None:
    facts = {"gradient_span": Skipped(reason="the gradient is zero at the last step")}
    assert "zero" in skips(RULE, report(layer(measurements=facts)), lag=5)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_the_biases_for_that_lag(kind: str) -> None:
    made = layer(kind, measurements=reaching(20).measurements)
    first = fires(RULE, report(made), lag=220).advice[0]
    assert "ln U(1, 219): 0 to 5.4" in first.text  # ln 219 = 5.389
    assert first.source.startswith("Tallec")
    assert first.snippet


def test_a_lag_of_one_has_biases_too() -> None:
    facts = {"gradient_span": span(), "timescale": Timescale(p10=0.1, p50=0.2, p90=0.5)}
    assert "ln U(1, 2)" in fires(RULE, report(layer(measurements=facts)), lag=1).advice[0].text


def test_cells_without_a_forget_gate_get_an_orthogonal_start() -> None:
    facts = {**reaching(20).measurements, "timescale": Skipped(reason="no gate")}
    found = fires(RULE, report(layer("SimpleRNN", measurements=facts)), lag=60)
    assert "orthogonal" in found.advice[0].text


def test_what_the_layer_has_is_not_advised() -> None:
    facts = {**reaching(20).measurements, "timescale": Skipped(reason="no gate")}
    own = {"class_name": "SimpleRNN", "units": 64, "activation": "sigmoid"}
    drawn = {"recurrent_initializer": {"class_name": "Orthogonal", "config": {"gain": 1.0}}}

    def first(**arguments: object) -> str:
        made = layer("SimpleRNN", measurements=facts, arguments={**own, **arguments})
        return fires(RULE, report(made), lag=60).advice[0].text

    assert "tanh in the place of sigmoid" in first(**drawn)
    assert "decay the recurrent kernel" in first(**drawn, activation="tanh")
    assert "orthogonal" in first(activation="tanh")


@pytest.mark.parametrize(
    ("timesteps", "stride", "left", "lag"), [(1001, 2, 501, 50), (2500, 3, 834, 34)]
)
def test_a_strided_convolution_for_long_sequences(
    timesteps: int, stride: int, left: int, lag: int
) -> None:
    found = fires(RULE, report(reaching(60, timesteps)), lag=100)
    second = found.advice[1]
    assert second.source == "A: tip 2"
    assert f"stride of {stride}" in second.text
    assert f"{left} are left, of the lag {lag}" in second.text


def test_no_convolution_for_a_thousand_steps() -> None:
    found = fires(RULE, report(reaching(60, 1000)), lag=100)
    assert not [step for step in found.advice if step.source == "A: tip 2"]


def test_decay_that_is_there_and_normalization_that_is_there() -> None:
    norm = Surrounding(name="norm", kind="LayerNormalization")
    made = replace(trained(decayed(1e-3, 1e-3), reaching(59)), network=(norm,))
    texts = [step.text for step in fires(RULE, made, lag=60).advice]
    assert any("more decay on the recurrent kernel: 0.01" in text for text in texts)
    assert not any("normalize" in text for text in texts)
