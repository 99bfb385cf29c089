from __future__ import annotations

from rule_reports import fires, layer, report, skips, synthetic

from rnndiag.measurements.carried_context import CarriedContext
from rnndiag.records import LayerReport, Measured, Skipped

RULE = "RNN104"


def carrying(windows: int, span: int = 170) -> LayerReport:
    context = CarriedContext(timesteps=span * windows, span=span, windows=windows)
    return layer(measurements={"carried_context": context})


def test_fires_with_span_times_windows() -> None:
    found = fires(RULE, report(carrying(7)))
    assert found.severity == "note"
    assert found.measured == Measured(name="carried_context", value=1190, worse="lower")
    assert "7 windows of 170 steps, 1190 in all" in found.message
    assert "gradients across 170" in found.message


def test_one_window_asks_for_their_number() -> None:
    found = fires(RULE, report(carrying(1)))
    assert "170 steps" in found.message
    assert "--windows" in found.advice[0].text


def test_shuffling_comes_first_where_the_windows_are_known() -> None:
    first = fires(RULE, report(carrying(7))).advice[0]
    assert "shuffle" in first.text
    assert first.source == "A: what to do 12"


def test_longer_windows_only_for_a_lag_that_is_longer() -> None:
    def sources(lag: int | None) -> list[str]:
        return [step.text for step in fires(RULE, report(carrying(7)), lag=lag).advice]

    assert any("at least 171 steps" in text for text in sources(171))
    assert not any("at least" in text for text in (*sources(170), *sources(None)))


def test_stays_a_note_on_made_up_input() -> None:
    assert fires(RULE, synthetic(report(carrying(7)))).severity == "note"


def test_stays_quiet_where_no_state_is_carried_or_the_gradient_ends_before() -> None:
    assert "stateful" in skips(RULE, report())
    facts = {"carried_context": Skipped(reason="the gradient does not reach through")}
    assert "reach" in skips(RULE, report(layer(measurements=facts)))
