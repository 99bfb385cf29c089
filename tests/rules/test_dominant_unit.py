from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rule_reports import HEALTHY, fires, layer, quiet, report, skips
from rule_settings import decayed, trained

from rnndiag.records import LayerReport, LayerSettings, Measured, Setting, Settings, Skipped

RULE = "RNN204"


def spread(units: int = 64, **changes: Any) -> LayerReport:
    dimension = replace(HEALTHY["state_dimension"], **changes)
    return layer(measurements={"state_dimension": dimension}, hidden_size=units)


def narrow(ratio: float, units: int = 64) -> LayerReport:
    return spread(units, participation_ratio=ratio, participation_share=ratio / units)


def test_quiet_on_a_healthy_layer() -> None:
    quiet(RULE, report())


def test_one_unit_with_more_than_half_of_the_energy() -> None:
    found = fires(RULE, report(spread(top_unit=7, top_unit_share=0.62)))
    assert found.severity == "note"
    assert found.measured == Measured(name="top_unit_share", value=0.62, worse="higher")
    assert found.message == "unit 7 has 62% of the state's energy, more than 50%"
    quiet(RULE, report(spread(top_unit_share=0.5)))
    assert fires(RULE, report(spread(top_unit_share=0.505)))


def test_half_of_all_is_no_wonder_in_a_few_units() -> None:
    quiet(RULE, report(spread(8, top_unit_share=0.625)))  # 5 fair shares, not more
    assert fires(RULE, report(spread(8, top_unit_share=0.63)))
    quiet(RULE, report(spread(1, top_unit_share=1.0, participation_share=1.0)))


def test_a_state_in_few_directions() -> None:
    found = fires(RULE, report(narrow(3.1)))
    assert found.severity == "note"
    assert found.measured == Measured(name="participation_share", value=3.1 / 64, worse="lower")
    assert "3.1 directions, 4.84% of 64 units and fewer than 5%" in found.message
    assert found.advice[-1].text.endswith("half the units: 32")
    assert "32" in found.advice[-1].snippet
    quiet(RULE, report(narrow(3.2)))


def test_both_signs_are_one_finding() -> None:
    found = fires(
        RULE,
        report(spread(top_unit_share=0.9, participation_ratio=1.2, participation_share=1.2 / 64)),
    )
    assert "90%" in found.message
    assert "1.2 directions" in found.message
    assert found.measured is not None
    assert found.measured.name == "top_unit_share"


def test_units_that_do_not_vary_have_no_directions() -> None:
    still = {"participation_ratio": None, "participation_share": None}
    quiet(RULE, report(spread(**still)))
    found = fires(RULE, report(spread(top_unit_share=0.9, **still)))
    assert not any("half the units" in step.text for step in found.advice)


def test_skipped_without_states() -> None:
    facts = {"state_dimension": Skipped(reason="all states are zero")}
    assert "zero" in skips(RULE, report(layer(measurements=facts)))


@pytest.mark.parametrize(
    ("known", "rate"), [(None, 0.2), (0.0, 0.2), (0.2, 0.4), (0.4, 0.5), (0.45, 0.5)]
)
def test_the_next_rate_of_recurrent_dropout(known: float | None, rate: float) -> None:
    own = None if known is None else Setting(value=known, source="config")
    settings = Settings(layers={"lstm": LayerSettings(recurrent_dropout=own)})
    first = fires(RULE, report(narrow(2.0), settings=settings)).advice[0]
    assert f"recurrent dropout of {rate:g}" in first.text
    assert first.source == "A: what to do 3"


@pytest.mark.parametrize("rate", [0.3, 0.5])
def test_no_more_dropout_than_the_ladder_has(rate: float) -> None:
    own = LayerSettings(recurrent_dropout=Setting(value=rate, source="config"))
    found = fires(RULE, report(narrow(2.0), settings=Settings(layers={"lstm": own})))
    assert "weight decay" in found.advice[0].text


def test_decay_goes_on_from_what_there_is() -> None:
    made = trained(decayed(1e-3, 2e-4), narrow(2.0))
    assert any(
        step.text.startswith("more weight decay: 0.01 on the kernel, 2e-3 on the recurrent kernel")
        for step in fires(RULE, made).advice
    )
    bounded = fires(RULE, trained(decayed(0.01, 0.01), narrow(2.0)))
    assert not any("weight decay" in step.text for step in bounded.advice)
    # Columns: .12·√16 = .48 in K and .11·√64 = .88 in R.
    assert any("below 0.24 in the kernel (0.48 now)" in step.text for step in bounded.advice)
