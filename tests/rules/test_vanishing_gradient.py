from __future__ import annotations

import pytest
from rule_reports import fires, layer, quiet, report, skips, span, synthetic
from rule_settings import decayed, trained

from rnndiag.measurements.lyapunov import Lyapunov
from rnndiag.measurements.timescale import Timescale
from rnndiag.records import Finding, LayerSettings, Measured, Skipped, Surrounding

RULE = "RNN101"


def reaching(steps: int, timesteps: int = 100, **changes: object) -> dict[str, object]:
    return {"gradient_span": span(span=steps, timesteps=timesteps, by_seed=(steps,), **changes)}


def test_quiet_on_a_healthy_layer() -> None:
    quiet(RULE, report())


@pytest.mark.parametrize(
    ("steps", "severity"), [(1, "error"), (3, "error"), (4, "warning"), (9, "warning")]
)
def test_fires_on_short_spans(steps: int, severity: str) -> None:
    found = fires(RULE, report(layer(measurements=reaching(steps))))
    assert found.severity == severity
    assert found.measured == Measured(name="span", value=steps, worse="lower")


def test_quiet_at_the_cut() -> None:
    quiet(RULE, report(layer(measurements=reaching(10))))


def test_a_span_that_the_sequence_cuts_off_is_not_short() -> None:
    quiet(RULE, report(layer(measurements=reaching(3, 3, censored=True))))


def test_short_sequences_get_a_note_at_most() -> None:
    found = fires(RULE, report(layer(measurements=reaching(2, 40))))
    assert found.severity == "note"
    assert found.capped == "no more than a note on fewer than 50 timesteps"
    quiet(RULE, report(layer(measurements=reaching(8, 40))))


def test_asymptotic_span_and_timescale_warn() -> None:
    fading = Lyapunov(top=-0.6, standard_error=0.01, asymptotic_span=8.7, samples=4)
    found = fires(RULE, report(layer(measurements={"lyapunov": fading})))
    assert found.severity == "warning"
    assert "8.7" in found.message
    assert found.measured == Measured(name="asymptotic_span", value=8.7, worse="lower")
    # The gradient was seen to reach further.
    assert (found.confidence, found.doubt) == (
        "medium",
        "the gradient itself reaches 60 steps back",
    )
    brief = Timescale(p10=0.1, p50=0.3, p90=0.8)
    found = fires(RULE, report(layer(measurements={"timescale": brief})))
    assert found.severity == "warning"
    assert "for 0.8 timesteps" in found.message
    assert found.measured == Measured(name="timescale_p90", value=0.8, worse="lower")


def test_a_timescale_just_below_its_cut_does_not_read_as_equal_to_it() -> None:
    brief = Timescale(p10=0.1, p50=0.3, p90=0.97)
    found = fires(RULE, report(layer(measurements={"timescale": brief})))
    assert "for 0.97 timesteps or less, under 1" in found.message


def test_made_up_input_makes_it_a_note_with_real_data_as_the_first_step() -> None:
    found = fires(RULE, synthetic(report(layer(measurements=reaching(2)))))
    assert (found.severity, found.confidence) == ("note", "medium")
    assert "--probe" in found.advice[0].text
    assert found.capped


def test_seeds_that_disagree_lower_the_confidence() -> None:
    facts = {"gradient_span": span(span=8, by_seed=(6, 8, 14))}
    found = fires(RULE, report(layer(measurements=facts)))
    assert (found.confidence, found.doubt) == ("low", "spans by seed: 6, 8, 14")


def test_a_seed_in_which_nothing_arrives_is_named() -> None:
    facts = {"gradient_span": span(span=8, by_seed=(None, 14))}
    assert fires(RULE, report(layer(measurements=facts))).doubt == "spans by seed: none, 14"


def test_random_unit_vectors_as_pulse_are_a_doubt() -> None:
    found = fires(RULE, report(layer(measurements=reaching(5, cotangent="isotropic"))))
    assert found.confidence == "medium"
    assert found.doubt == "the pulse is random unit vectors, no loss of the network"


def test_a_threshold_can_be_set() -> None:
    made = report(layer(measurements=reaching(12)))
    assert fires(RULE, made, thresholds={RULE: {"warning": 20}}).severity == "warning"


def test_skipped_without_a_gradient() -> None:
    facts = {"gradient_span": Skipped(reason="the gradient is zero at the last step")}
    assert "zero" in skips(RULE, report(layer(measurements=facts)))


def test_cells_without_a_forget_gate_get_an_orthogonal_start() -> None:
    facts = {**reaching(2), "timescale": Skipped(reason="no gate")}
    found = fires(RULE, report(layer("SimpleRNN", measurements=facts)))
    assert "orthogonal" in found.advice[0].text


def test_a_small_share_of_a_long_sequence_is_a_note() -> None:
    found = fires(RULE, report(layer(measurements=reaching(10, 220))))
    assert (found.severity, "5%" in found.message) == ("note", True)
    quiet(RULE, report(layer(measurements=reaching(11, 220))))
    quiet(RULE, report(layer(measurements=reaching(10, 220))), lag=100)


def texts(found: Finding) -> list[str]:
    return [step.text for step in found.advice]


@pytest.mark.parametrize(
    ("own", "wanted"),
    [
        (LayerSettings(), "decay the recurrent kernel: 1e-4, then ten times that"),
        (decayed(0.0, 0.0), "decay the recurrent kernel: 1e-4, then ten times that"),
        (decayed(1e-4, 1e-4), "more decay on the recurrent kernel: 1e-3 (1e-4 and 1e-4 now"),
        (decayed(0.01, 5e-3), "more decay on the recurrent kernel: 0.01 (0.01 and 5e-3 now"),
        (decayed(0.01, 0.01), "keep the norm of each column below 0.24 in the kernel"),
    ],
)
def test_decay_goes_on_from_what_there_is(own: LayerSettings, wanted: str) -> None:
    found = fires(RULE, trained(own, layer(measurements=reaching(2))))
    assert texts(found)[1].startswith(wanted)


def test_of_known_decays_only_the_recurrent_kernel_s_is_raised() -> None:
    found = fires(RULE, trained(decayed(2e-4, 1e-4), layer(measurements=reaching(2))))
    assert "kernel_regularizer=keras.regularizers.L2(2e-4)" in found.advice[1].snippet
    assert "recurrent_regularizer=keras.regularizers.L2(1e-3)" in found.advice[1].snippet


def test_biases_are_drawn_for_the_lag_where_one_is_given() -> None:
    made = report(layer(measurements=reaching(2)))
    assert "up to 100 steps" in texts(fires(RULE, made))[0]
    assert "up to 40 steps" in texts(fires(RULE, made, lag=40))[0]


def test_relu_is_promised_less_of_decay_and_gets_it_last() -> None:
    own = {"class_name": "SimpleRNN", "units": 64, "recurrent_initializer": "orthogonal"}
    rectified = layer("SimpleRNN", reaching(2), arguments={**own, "activation": "relu"})
    said = texts(fires(RULE, report(rectified)))
    assert "relu leaves little to linearize" in said[-1]
    assert not any("expressive power" in text for text in said)
    saturating = layer("SimpleRNN", reaching(2), arguments={**own, "activation": "tanh"})
    said = texts(fires(RULE, report(saturating)))
    assert "costs expressive power, which a second layer gives back" in said[0]


def test_no_normalization_where_there_is_some() -> None:
    norm = Surrounding(name="norm", kind="BatchNormalization")
    made = layer(measurements=reaching(2))
    assert any("normalize" in text for text in texts(fires(RULE, report(made))))
    assert not any(
        "normalize" in text for text in texts(fires(RULE, report(made, network=(norm,))))
    )
