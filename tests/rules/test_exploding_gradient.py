from __future__ import annotations

import math
from dataclasses import replace

import pytest
from rule_reports import HEALTHY, fires, layer, norms, quiet, report, skips, span, synthetic
from rule_settings import decayed
from rule_settings import trained as with_settings

from rnndiag import decays
from rnndiag.measurements.lyapunov import Lyapunov
from rnndiag.records import (
    Finding,
    LayerSettings,
    Measured,
    Setting,
    Settings,
    Skipped,
    Surrounding,
)

RULE = "RNN102"


def growing(growth: float, **changes: object) -> dict[str, object]:
    return {"gradient_span": span(growth=growth, **changes)}


def chaotic(top: float, standard_error: float = 0.01) -> dict[str, object]:
    return {
        "lyapunov": Lyapunov(
            top=top, standard_error=standard_error, asymptotic_span=None, samples=16
        )
    }


def texts(found: Finding) -> str:
    return "\n".join(step.text for step in found.advice)


def trained(learning_rate: float, **changes: object) -> Settings:
    return Settings(learning_rate=Setting(value=learning_rate, source="config"), **changes)


def test_quiet_on_a_healthy_layer() -> None:
    quiet(RULE, report())


@pytest.mark.parametrize(
    ("growth", "severity", "cut"),
    [(10.1, "warning", 10), (100, "warning", 10), (100.5, "error", 100), (7e6, "error", 100)],
)
def test_fires_on_growth(growth: float, severity: str, cut: int) -> None:
    found = fires(RULE, report(layer(measurements=growing(growth))))
    assert found.severity == severity
    # Ten times the growth is one more: what differs between seeds is no news to a baseline.
    assert found.measured == Measured(
        name="log10_growth", value=pytest.approx(math.log10(growth)), worse="higher"
    )
    assert found.message == (
        f"the gradient grows {growth:.3g} times on its way back through 100 steps, more than {cut}"
    )


def test_quiet_at_the_cut() -> None:
    quiet(RULE, report(layer(measurements=growing(10))))


def test_growth_beyond_any_float_that_prints_well() -> None:
    found = fires(RULE, report(layer(measurements=growing(1e304))))
    assert "1e+304 times" in found.message
    assert found.measured is not None
    assert found.measured.value == pytest.approx(304)


def test_a_state_in_which_small_changes_grow_warns() -> None:
    found = fires(RULE, report(layer(measurements=chaotic(0.08))))
    assert found.severity == "warning"
    # Two standard errors below, as the message has it.
    assert found.measured == Measured(
        name="least_lyapunov", value=pytest.approx(0.06), worse="higher"
    )
    assert found.evidence["lyapunov"] == 0.08
    assert "0.060" in found.message
    assert "0.05" in found.message


def test_an_exponent_that_may_lie_below_its_cut_is_no_finding() -> None:
    quiet(RULE, report(layer(measurements=chaotic(0.08, standard_error=0.02))))
    quiet(RULE, report(layer(measurements=chaotic(0.05, standard_error=0.0))))
    assert fires(RULE, report(layer(measurements=chaotic(0.0501, standard_error=0.0))))


def test_chaos_is_an_error_only_with_growth_over_its_cut() -> None:
    both = {**growing(50), **chaotic(0.3)}
    assert fires(RULE, report(layer(measurements=both))).severity == "warning"
    both = {**growing(500), **chaotic(0.3)}
    assert fires(RULE, report(layer(measurements=both))).severity == "error"


def test_growth_is_judged_without_an_exponent() -> None:
    short = {"lyapunov": Skipped(reason="no sample has 50 timesteps")}
    quiet(RULE, report(layer(measurements=short)))
    assert fires(RULE, report(layer(measurements={**short, **growing(20)}))).severity == "warning"


def test_skipped_without_a_gradient() -> None:
    facts = {"gradient_span": Skipped(reason="the gradient is not finite")}
    assert "not finite" in skips(RULE, report(layer(measurements=facts)))


def test_made_up_input_makes_it_a_note() -> None:
    found = fires(RULE, synthetic(report(layer(measurements=growing(4e4)))))
    assert found.severity == "note"
    assert "--probe" in found.advice[0].text


def test_a_pulse_that_is_no_loss_of_the_network_lowers_the_confidence() -> None:
    facts = growing(200, cotangent="isotropic", why_isotropic="the output is not known")
    found = fires(RULE, report(layer(measurements=facts)))
    assert found.confidence == "medium"
    assert found.doubt == (
        "the pulse is random unit vectors, no loss of the network: the output is not known"
    )
    # The exponent takes no pulse.
    facts = {**growing(1, cotangent="isotropic"), **chaotic(0.08)}
    assert fires(RULE, report(layer(measurements=facts))).confidence == "high"
    assert fires(RULE, report(layer(measurements=growing(200)))).confidence == "high"


def test_a_threshold_can_be_set() -> None:
    made = report(layer(measurements=growing(20)))
    quiet(RULE, made, thresholds={RULE: {"warning": 30}})


def test_clipping_comes_first_and_then_the_learning_rate() -> None:
    found = fires(RULE, report(layer(measurements=growing(20)), settings=trained(0.005)))
    assert "norm of 1" in found.advice[0].text
    assert found.advice[0].snippet
    assert "from 0.005 to 0.002" in found.advice[1].text
    known = trained(0.005, clipping=Setting(value="clipnorm 1", source="config"))
    found = fires(RULE, report(layer(measurements=growing(20)), settings=known))
    assert "clipnorm 1" in found.advice[0].text


def test_a_bound_at_high_learning_rates_and_decay_at_low_ones() -> None:
    made = layer(measurements=growing(20))
    adam = {"optimizer": Setting(value="Adam", source="config")}
    high = texts(fires(RULE, report(made, settings=trained(0.02, **adam))))
    # 64 rows of RMS 0.11 make columns of norm 0.88, 16 of 0.12 such of 0.48; half of that.
    assert "at a learning rate of 0.02" in high
    assert "below 0.24 in the kernel" in high
    assert "0.44 in the recurrent kernel" in high
    assert "weight decay" not in high
    # The cuts of RNN411: three times Adam's default, ten times Keras's for SGD.
    for rate, known in ((0.003, adam), (0.1, {})):
        low = texts(fires(RULE, report(made, settings=trained(rate, **known))))
        assert "column" not in low
        assert "weight decay: 1e-3" in low
        high = texts(fires(RULE, report(made, settings=trained(1.01 * rate, **known))))
        assert "column" in high
        assert "weight decay" not in high
    unknown = texts(fires(RULE, report(made)))
    assert "column" in unknown
    assert "weight decay: 1e-3" in unknown


def test_columns_are_bounded_at_one_at_most() -> None:
    large = {**growing(20), "weight_norms": norms(rms_recurrent=2.5)}
    found = fires(RULE, report(layer(measurements=large)))
    assert "and 1 in the recurrent kernel (20 now)" in texts(found)
    assert "MaxNorm(1)" in found.advice[2].snippet


def test_the_kernel_is_bounded_by_its_own_columns() -> None:
    # Columns of K: 2·√16 = 8, of R .88; lines have one bound, which cuts neither below its half.
    large = {**growing(20), "weight_norms": norms(rms_kernel=2.0)}
    found = fires(RULE, report(layer(measurements=large)))
    assert "below 4 in the kernel (8 now) and 0.44 in the recurrent kernel (0.88 now)" in texts(
        found
    )
    assert "MaxNorm(4)" in found.advice[2].snippet


def test_decay_at_the_end_of_its_range_gives_way_to_a_bound() -> None:
    own = decayed(0.01, 0.01)
    found = texts(
        fires(RULE, with_settings(own, layer(measurements=growing(20)), learning_rate=1e-3))
    )
    assert "weight decay" not in found
    assert "keep the norm of each column below" in found


def test_no_normalization_where_there_is_some() -> None:
    norm = Surrounding(name="norm", kind="LayerNormalization")
    made = layer(measurements=growing(20))
    assert "normalization" in texts(fires(RULE, report(made)))
    assert "normalization" not in texts(fires(RULE, report(made, network=(norm,))))


@pytest.mark.parametrize(("now", "advised"), [(1e-6, 1e-3), (2e-4, 2e-3), (5e-3, 1e-2)])
def test_higher_decay_is_ten_times_what_is_known(now: float, advised: float) -> None:
    own = LayerSettings(recurrent_decay=Setting(value=now, source="config"))
    known = Settings(layers={"lstm": own})
    found = fires(RULE, report(layer(measurements=growing(20)), settings=known))
    assert f"{decays.written(advised)} on the recurrent kernel" in texts(found)


def test_biases_are_bounded_where_they_dominate() -> None:
    healthy = HEALTHY["preactivation_budget"]
    at_cut = {**growing(20), "preactivation_budget": replace(healthy, bias=0.5)}
    assert "decay the biases" not in texts(fires(RULE, report(layer(measurements=at_cut))))
    above = {**growing(20), "preactivation_budget": replace(healthy, bias=0.505)}
    found = texts(fires(RULE, report(layer(measurements=above))))
    # Half of ‖b‖ = 2; ‖K‖ = 8 is near enough to ‖R‖ = 10 for the same decay.
    assert "decay the biases by 1e-4, and the kernels, which need no less, by 1e-4" in found
    assert "or bound their norm at 1 (2 now)" in found
    unknown = {**growing(20), "preactivation_budget": Skipped(reason="all are zero")}
    assert "decay the biases" not in texts(fires(RULE, report(layer(measurements=unknown))))
    without = {**above, "weight_norms": norms(bias=None)}
    assert "decay the biases" not in texts(fires(RULE, report(layer(measurements=without))))


def test_without_norms_there_is_advice_all_the_same() -> None:
    facts = {
        **growing(20),
        "preactivation_budget": replace(HEALTHY["preactivation_budget"], bias=0.9),
        "weight_norms": Skipped(reason="broke"),
    }
    found = texts(fires(RULE, report(layer(measurements=facts))))
    assert "clip" in found
    assert "biases" not in found
