"""What changed between two reports: matching, verdicts, findings, regressions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rule_reports import layer, norms, report, span

from rnndiag import comparing, judging
from rnndiag.errors import BadOption
from rnndiag.measurements.unit_activity import UnitActivity
from rnndiag.outputs.comparisons import table
from rnndiag.outputs.words import comparisons as words
from rnndiag.records import Change, Comparison, LayerReport, Policy, Report, Skipped


def units(**changes: Any) -> UnitActivity:
    calm = UnitActivity(
        dead_share=0.0,
        dead_units=(),
        constant_units=(),
        extreme_share=0.0,
        mean_abs=0.3,
        steps=1000,
        padding_share=0.0,
    )
    return replace(calm, **changes)


def judged(*layers: LayerReport, **changes: Any) -> Report:
    return judging.judge(report(*layers, **changes), Policy())


def with_facts(**facts: Any) -> LayerReport:
    return layer(measurements=facts)


def compared(before: LayerReport, after: LayerReport, **more: Any) -> Comparison:
    return comparing.of_reports(judged(before), judged(after), **more)


def change(comparison: Comparison, name: str) -> Change:
    (pair,) = comparison.pairs
    (found,) = [own for own in pair.changes if own.name == name]
    return found


# ---------------------------------------------------------------- verdicts


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (60, 60, "same"),
        (60, 54, "same"),  # a tenth, which is the tolerance
        (60, 53, "worse"),
        (60, 67, "better"),
    ],
)
def test_a_shorter_span_is_worse_beyond_its_tolerance(
    before: int, after: int, verdict: str
) -> None:
    pair = (with_facts(gradient_span=span(span=own)) for own in (before, after))
    assert change(compared(*pair), "span").verdict == verdict


def test_spans_that_the_probe_cuts_short_are_not_told_apart() -> None:
    first = with_facts(gradient_span=span(span=50, timesteps=50, censored=True))
    second = with_facts(gradient_span=span(span=100, censored=True))
    found = change(compared(second, first), "span")
    assert found.verdict == "same"
    assert words.told(found) == "≥ 100 → ≥ 50 timesteps"
    seen_to_its_end = with_facts(gradient_span=span(span=40))
    assert change(compared(second, seen_to_its_end), "span").verdict == "worse"


def test_norms_change_without_being_better_or_worse() -> None:
    found = compared(
        with_facts(weight_norms=norms()), with_facts(weight_norms=norms(recurrent=5.0))
    )
    assert change(found, "recurrent_norm").verdict == "changed"
    assert change(found, "kernel_norm").verdict == "same"
    assert found.regressions == ()


def test_shares_are_compared_by_their_difference() -> None:
    few, more = (with_facts(unit_activity=units(dead_share=own)) for own in (0.01, 0.2))
    worse = compared(few, more)
    assert change(worse, "dead_share").verdict == "worse"
    assert words.told(change(worse, "dead_share")) == "1 % → 20 %"
    assert change(compared(more, few), "dead_share").verdict == "better"
    barely = with_facts(unit_activity=units(dead_share=0.05))
    assert change(compared(few, barely), "dead_share").verdict == "same"


def test_what_only_one_of_them_tells_is_unknown() -> None:
    found = compared(
        with_facts(gradient_span=span(half_life=None, decay_per_step=None)),
        with_facts(gradient_span=span()),
    )
    assert change(found, "half_life").verdict == "unknown"


def test_tolerances_are_chosen_by_name() -> None:
    pair = (with_facts(gradient_span=span(span=own)) for own in (60, 40))
    loose = comparing.with_tolerances({"span": 0.5})
    assert change(compared(*pair, quantities=loose), "span").verdict == "same"
    with pytest.raises(BadOption, match="'width'"):
        comparing.with_tolerances({"width": 0.5})


# ---------------------------------------------------------------- which layers


def test_layers_are_matched_by_name_then_by_order_and_shape() -> None:
    before = judged(layer(id="a", name="a"), layer(id="b", name="b"), layer(id="c", name="c"))
    after = judged(layer(id="x", name="x"), layer(id="b", name="b"), layer(id="y", name="y"))
    found = comparing.of_reports(before, after)
    pairs = [(pair.before.id, pair.after.id, pair.matched_by) for pair in found.pairs]
    assert pairs == [
        ("a", "x", "order and shape"),
        ("b", "b", "name"),
        ("c", "y", "order and shape"),
    ]
    assert "matched by order and shape, not by name: a →, c →" in found.notes


def test_layers_without_a_match_are_named() -> None:
    both = judged(layer(id="a"), layer(id="b", name="b"))
    found = comparing.of_reports(both, judged(layer(id="a")))
    assert [own.id for own in found.only_before] == ["b"]
    found = comparing.of_reports(judged(layer(id="a")), both)
    assert [own.id for own in found.only_after] == ["b"]


def test_a_keras_and_a_pytorch_file_are_compared() -> None:
    found = comparing.of_reports(
        judged(layer(id="lstm", name="lstm")),
        judged(layer(id="rnn", name="rnn"), framework="torch"),
    )
    assert len(found.pairs) == 1


def test_without_a_layer_in_common_there_is_nothing_to_compare() -> None:
    other = layer(id="other", name="other", hidden_size=7)
    with pytest.raises(BadOption, match="no layer to compare"):
        compared(layer(), other)


def test_a_checkpoint_without_an_analysed_layer_has_its_own_status() -> None:
    lost = layer(analysed=False, reason="of an unknown class", measurements={})
    found = comparing.of_reports(judged(layer()), judged(lost, exit_code=3))
    assert found.exit_code == 3


# ---------------------------------------------------------------- findings


def test_findings_appear_and_go_at_the_layer_that_answers() -> None:
    short = layer(id="rnn", name="rnn", measurements={"gradient_span": span(span=3)})
    found = comparing.of_reports(judged(layer(id="lstm", name="lstm")), judged(short))
    assert "RNN101" in {own.rule for own in found.appeared}
    assert any("new" in sentence and "RNN101" in sentence for sentence in found.regressions)
    back = comparing.of_reports(judged(short), judged(layer(id="lstm", name="lstm")))
    assert "RNN101" in {own.rule for own in back.gone}
    alike = comparing.of_reports(judged(replace(short, id="lstm", name="lstm")), judged(short))
    assert "RNN101" not in {own.rule for own in (*alike.appeared, *alike.gone)}


def test_a_regression_fails_only_where_that_is_asked_for() -> None:
    worse = with_facts(gradient_span=span(span=3))
    assert compared(layer(), worse).exit_code == 0
    assert compared(layer(), worse, fail=True).exit_code == 1
    assert compared(layer(), layer(), fail=True).exit_code == 0


def test_probes_that_differ_are_told() -> None:
    first, second = judged(layer()), judged(layer())
    longer = replace(second, probe=replace(second.probe, timesteps=77))
    assert any("the probes differ" in note for note in comparing.of_reports(first, longer).notes)
    assert not any("differ" in note for note in comparing.of_reports(first, second).notes)


def test_what_only_one_file_can_tell_is_no_change() -> None:
    """A rule that had nothing to go by in the other file has not changed its mind."""
    told = layer(id="a", measurements={"gradient_span": span(span=3)})
    silent = layer(id="a", measurements={"gradient_span": Skipped(reason="not followed")})
    found = comparing.of_reports(judged(told), judged(silent))
    assert "RNN101" in {own.rule for own in found.no_longer_told}
    assert "RNN101" not in {own.rule for own in found.gone}
    back = comparing.of_reports(judged(silent), judged(told))
    assert "RNN101" in {own.rule for own in back.first_told}
    assert not any("RNN101" in sentence for sentence in back.regressions)


def test_nothing_compared_is_no_good_news() -> None:
    lost = layer(analysed=False, reason="of an unknown class", measurements={})
    found = comparing.of_reports(judged(layer()), judged(lost, exit_code=3))
    assert words.verdict(found) == ("nothing compared: AFTER without a recurrent layer to analyse")
    assert found.gone == ()


# ---------------------------------------------------------------- the lag, what decays not, gaps


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (40, 55, "better"),  # reaches it
        (49, 50, "better"),  # by a hair, and still: the task can be learned now
        (55, 40, "worse"),
        (90, 60, "changed"),  # shorter, and as good for this task
        (20, 10, "worse"),
    ],
)
def test_spans_are_judged_by_the_lag(before: int, after: int, verdict: str) -> None:
    pair = (with_facts(gradient_span=span(span=own)) for own in (before, after))
    assert change(compared(*pair, lag=50), "span").verdict == verdict


def test_a_probe_that_ends_before_the_lag_does_not_tell_whether_it_is_reached() -> None:
    cut = with_facts(gradient_span=span(span=40, timesteps=40, censored=True))
    whole = with_facts(gradient_span=span(span=60))
    assert change(compared(whole, cut, lag=50), "span").verdict == "worse"
    longer = with_facts(gradient_span=span(span=43, timesteps=43, censored=True))
    assert change(compared(cut, longer, lag=50), "span").verdict == "same"


def test_what_got_better_is_told_beside_what_got_worse() -> None:
    first = with_facts(gradient_span=span(span=3), unit_activity=units())
    second = with_facts(gradient_span=span(), unit_activity=units(dead_share=0.2))
    found = compared(first, second)
    assert any("span 3 → 60 timesteps" in sentence for sentence in found.improvements)
    assert any("RNN101" in own and own.endswith("is gone") for own in found.improvements)
    worse, better = len(found.regressions), len(found.improvements)
    assert worse
    assert words.verdict(found).startswith(f"{worse} regression")
    assert words.verdict(found).endswith(f", {better} improvements")
    assert compared(first, first).improvements == ()


def test_a_profile_that_does_not_decay_has_no_half_life_and_that_is_known() -> None:
    falling = with_facts(gradient_span=span(half_life=1.64))
    endless = with_facts(gradient_span=span(half_life=None, decay_per_step=1.01))
    found = change(compared(falling, endless), "half_life")
    assert (found.verdict, words.told(found)) == ("changed", "1.64 → no decay")
    back = change(compared(endless, falling), "half_life")
    assert (back.verdict, words.told(back)) == ("changed", "no decay → 1.64 timesteps")
    assert change(compared(endless, endless), "half_life").verdict == "same"


def test_what_is_missing_is_one_sentence_with_its_reason() -> None:
    why = Skipped(reason="the states are not finite")
    found = compared(with_facts(gradient_span=span()), with_facts(gradient_span=why))
    (pair,) = found.pairs
    (sentence,) = words.missing(pair)
    assert sentence == "not measured after: span, half-life, growth: the states are not finite"
    short = table.render(found, width=100, color=False, verbose=False)
    assert sentence in short
    assert "unknown" not in short
    assert "unknown" in table.render(found, width=100, color=False, verbose=True)


def test_layers_that_were_numbered_on_are_matched_by_their_order() -> None:
    """Keras gives the next network in a process the next numbers."""
    first = [layer(id=f"lstm_{k}", name=f"lstm_{k}", index=k) for k in (0, 1, 2)]
    second = [layer(id=f"lstm_{k}", name=f"lstm_{k}", index=k - 1) for k in (1, 2, 3)]
    found = comparing.of_reports(judged(*first), judged(*second))
    pairs = [(pair.before.id, pair.after.id) for pair in found.pairs]
    assert pairs == [("lstm_0", "lstm_1"), ("lstm_1", "lstm_2"), ("lstm_2", "lstm_3")]


def test_a_name_does_not_pair_layers_of_unlike_size() -> None:
    before = judged(layer(id="a", input_size=8), layer(id="b", input_size=64))
    after = judged(layer(id="b", input_size=8), layer(id="c", input_size=64), layer(id="d"))
    found = comparing.of_reports(before, after)
    pairs = [(pair.before.id, pair.after.id) for pair in found.pairs]
    assert pairs == [("a", "b"), ("b", "c")]


def test_a_finding_that_became_more_severe_has_appeared() -> None:
    calm = judged(layer(measurements={"gradient_span": span(span=3)}))
    worse = judging.judge(calm, Policy(severity={"RNN101": "error"}))
    mild = judging.judge(calm, Policy(severity={"RNN101": "note"}))
    found = comparing.of_reports(mild, worse)
    assert "RNN101" in {own.rule for own in found.appeared}
    assert "RNN101" not in {own.rule for own in comparing.of_reports(worse, mild).appeared}
