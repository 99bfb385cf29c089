from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from rule_reports import fires, layer, quiet, report, skips, synthetic

from rnndiag.records import Finding, InputScale, Report, Surrounding

RULE = "RNN503"
RNG = np.random.default_rng(3)
NOISE = RNG.normal(size=4000)


def scale(*columns: Any) -> InputScale:
    """What the probe is measured to be, of features given as columns of numbers."""
    features = np.stack([np.asarray(column, float) for column in columns], 1)
    return InputScale(
        means=tuple(map(float, features.mean(0))),
        deviations=tuple(map(float, features.std(0))),
        largest=tuple(map(float, np.abs(features).max(0))),
    )


def fed(*inputs: InputScale, **changes: Any) -> Report:
    made = report(**changes)
    return replace(made, probe=replace(made.probe, inputs=inputs))


def signs(found: Finding) -> str:
    return "\n".join(found.evidence["signs"])


def test_quiet_on_unit_scale() -> None:
    quiet(RULE, fed(scale(NOISE, 0.5 * NOISE + 1, RNG.uniform(size=4000))))


def test_fires_on_unlike_scales() -> None:
    found = fires(RULE, fed(scale(NOISE, 0.005 * NOISE)))
    assert (found.severity, found.confidence) == ("warning", "medium")
    assert "the scale of feature 0 of input 0 is 200 times that of feature 1 of input 0" in (
        found.message
    )
    assert found.measured is not None
    assert found.measured.name == "ratio"
    assert found.measured.value == pytest.approx(200)


def test_quiet_within_two_decades() -> None:
    quiet(RULE, fed(scale(NOISE, NOISE / 99)))
    fires(RULE, fed(scale(NOISE, NOISE / 101)))


def test_unlike_scales_of_two_inputs() -> None:
    found = fires(RULE, fed(scale(NOISE), scale(NOISE / 500)))
    assert "feature 0 of input 0 is 500 times that of feature 0 of input 1" in found.message


def test_fires_far_above_unit_scale() -> None:
    found = fires(RULE, fed(scale(RNG.uniform(0, 255, 4000))))
    assert "inputs reach 255, beyond 100" in found.message
    quiet(RULE, fed(scale(np.clip(30 * NOISE, -99, 99))))


def test_fires_far_below_unit_scale() -> None:
    found = fires(RULE, fed(scale(0.001 * NOISE, 0.002 * NOISE)))
    assert "no feature has a scale above 0.002, all are below 0.01" in found.message
    assert found.measured is not None
    assert found.measured.worse == "lower"


def test_fires_on_features_far_from_zero() -> None:
    found = fires(RULE, fed(scale(NOISE, 0.1 * NOISE + 7)))
    assert "1 of 2 features lie more than 10 deviations away from 0" in found.message
    both = fires(RULE, fed(scale(0.5 * NOISE + 10, 0.1 * NOISE + 7))).measured
    assert both is not None
    assert both.value == pytest.approx(70, rel=0.1)
    quiet(RULE, fed(scale(NOISE, 0.1 * NOISE + 0.9)))
    quiet(RULE, fed(scale(NOISE, NOISE + 9)))


def test_all_signs_are_kept() -> None:
    found = fires(RULE, fed(scale(NOISE, 5 * NOISE + 2020)))
    assert "times that of" in signs(found)
    assert "inputs reach 2,040, beyond 100" in signs(found)
    assert "1 of 2 features lie" in signs(found)


# ---------------------------------------------------------------- what is no matter of scale


def test_quiet_on_one_hot_symbols_and_rare_flags() -> None:
    rare = np.zeros(4000)
    rare[7] = 1
    quiet(RULE, fed(scale(NOISE, rare, 1 - rare, NOISE > 0)))
    quiet(RULE, fed(scale(rare)))
    # Though it deviates by 0.016 and reaches only 1.
    quiet(RULE, fed(scale(20 * NOISE, rare)))


def test_quiet_on_constant_features() -> None:
    rounded = np.full(4000, 1000.0)
    rounded[::2] += 1e-4
    quiet(RULE, fed(scale(NOISE, np.zeros(4000), np.full(4000, 1000.0), rounded)))
    quiet(RULE, fed(scale(np.full(4000, 1000.0))))


def test_quiet_on_features_that_are_rarely_there() -> None:
    rare = np.zeros(4000)
    rare[:4] = RNG.uniform(0.5, 2, 4)
    assert scale(rare).deviations[0] < 0.06
    quiet(RULE, fed(scale(10 * NOISE, rare)))


def test_ratio_is_taken_among_the_features_that_vary() -> None:
    # Of the constant one, the large one and the small one.
    found = fires(RULE, fed(scale(np.full(4000, 3.0), 10 * NOISE, 0.01 * NOISE)))
    assert "feature 1 of input 0 is 1,000 times that of feature 2" in found.message


@pytest.mark.parametrize("kind", ["BatchNormalization", "Normalization", "Rescaling"])
def test_quiet_where_the_network_scales_its_inputs(kind: str) -> None:
    around = (
        Surrounding(name="x", kind="InputLayer"),
        Surrounding(name="first", kind=kind),
        Surrounding(name="lstm", kind="LSTM"),
    )
    made = fed(scale(NOISE, 500 * NOISE), network=around)
    quiet(RULE, made)
    fires(RULE, replace(made, network=(around[0], around[2], around[1])))


# ---------------------------------------------------------------- what has to be there


def test_skipped_on_made_up_input_and_on_token_ids() -> None:
    assert "--probe" in skips(RULE, synthetic(report()))
    assert "token ids" in skips(RULE, report())


def test_features_are_scaled_first() -> None:
    found = fires(RULE, fed(scale(NOISE, 500 * NOISE)))
    assert "mean 0 and variance 1" in found.advice[0].text
    assert all(step.snippet for step in found.advice)


def test_assumed_wiring_takes_nothing_from_it() -> None:
    made = fed(scale(NOISE, 500 * NOISE), layers=(layer(),))
    made = replace(made, probe=replace(made.probe, wiring="assumed"))
    assert fires(RULE, made).capped is None


def test_a_threshold_can_be_set() -> None:
    quiet(RULE, fed(scale(NOISE, 0.005 * NOISE)), thresholds={RULE: {"ratio": 300}})
    fires(RULE, fed(scale(NOISE)), thresholds={RULE: {"largest": 2}})
