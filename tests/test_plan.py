"""Plans: from findings and trials to steps and a search space."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from cited_documents import SECTIONS
from rule_reports import layer, norms, report

from rnndiag import planning, rules
from rnndiag.planning import _tried, _wishes
from rnndiag.planning._knobs import KNOBS
from rnndiag.records import (
    Advice,
    Finding,
    Judgement,
    LayerSettings,
    Measured,
    Passed,
    Report,
    Setting,
    Settings,
    Trial,
    Trials,
)
from rnndiag.records.plan import Plan, Step

NOTHING = LayerSettings(
    kernel_decay=Setting(value=0.0, source="config"),
    recurrent_decay=Setting(value=0.0, source="config"),
    bias_decay=Setting(value=0.0, source="config"),
    dropout=Setting(value=0.0, source="config"),
    recurrent_dropout=Setting(value=0.0, source="config"),
    use_bias=Setting(value=True, source="config"),
)


def finding(rule: str, severity: Any = "warning", **more: Any) -> Finding:
    told = {"name": "some-rule", "confidence": "high", "message": "it is so", **more}
    return Finding(rule=rule, severity=severity, **told)


def judged(
    *findings: Finding,
    own: LayerSettings = NOTHING,
    measurements: Mapping[str, Any] | None = None,
    **more: Any,
) -> Report:
    """A healthy LSTM of which the rules say just this."""
    made = report(layer(measurements=measurements))
    layers = {own_layer.id: own for own_layer in made.layers}
    passed = tuple(Passed(rule=code, name="") for code in more.pop("passed", ()))
    return replace(
        made,
        settings=Settings(layers=layers, **more),
        judgement=Judgement(findings=findings, passed=passed),
    )


def trials(*rows: Mapping[str, object], metric: str = "val_loss") -> Trials:
    made = tuple(
        Trial(
            settings={k: v for k, v in row.items() if k != metric},
            metric=float(str(row[metric])),
        )
        for row in rows
    )
    return Trials(source="trials.csv", trials=made, metric=metric)


def step(plan: Plan, setting: str) -> Step:
    (found,) = [own for own in plan.steps if own.setting == setting]
    return found


def settings(plan: Plan) -> list[str]:
    return [own.setting for own in plan.steps]


def space(plan: Plan) -> dict[str, tuple[float | None, float | None]]:
    return {own.name: (own.low, own.high) for own in plan.space}


def left_out(plan: Plan) -> dict[str, str]:
    return {own.setting: own.why for own in plan.unsearched}


# ---------------------------------------------------------------- every rule is thought of


def test_every_rule_has_a_place() -> None:
    tables = (_wishes.CAUSES, _wishes.MEASURED, _wishes.OPTIONS, _wishes.REPAIRS, _wishes.LAST)
    placed = {code for table in tables for code in table} | set(_wishes.NO_WISH)
    assert placed == set(rules.catalogue())


def test_wishes_are_for_settings_that_there_are() -> None:
    tables = (_wishes.CAUSES, _wishes.MEASURED, _wishes.OPTIONS)
    wanted = {knob for table in tables for row in table.values() for knob, _ in row}
    assert wanted <= set(KNOBS)


def test_knobs_cite_sections_of_the_documents() -> None:
    for knob in KNOBS.values():
        document, _, section = knob.section.partition(": ")
        assert section in SECTIONS[document], knob.called


# ---------------------------------------------------------------- nothing wrong


def test_no_findings_lead_to_the_documents_first_experiments() -> None:
    plan = planning.planned(judged())
    assert plan.summary.startswith("no findings")
    assert plan.findings == 0
    first = ["kernel_decay", "recurrent_decay", "dropout", "recurrent_dropout", "normalization"]
    assert settings(plan) == first
    assert [step(plan, name).value for name in ("dropout", "recurrent_dropout")] == [0.1, 0.2]


def test_the_head_counts_what_was_found() -> None:
    notes = planning.planned(judged(finding("RNN410", "note"), finding("RNN412", "note")))
    assert notes.summary.startswith("2 notes; no error, no warning: ")
    grave = planning.planned(judged(finding("RNN101", "error"), finding("RNN410", "note")))
    assert grave.summary == "1 error, 1 note; the plan follows from RNN101 some-rule"


def test_what_is_in_use_is_no_first_experiment() -> None:
    used = replace(NOTHING, recurrent_dropout=Setting(value=0.3, source="config"))
    assert "recurrent_dropout" not in settings(planning.planned(judged(own=used)))


def test_first_decays_fit_the_matrices() -> None:
    """‖K‖ = 8 and ‖R‖ = 10 by `rule_reports.norms`: 8e-5 is nearest to 1e-4 of 1, 2, 5 · 10^n."""
    plan = planning.planned(judged())
    assert step(plan, "kernel_decay").value == 1e-4
    assert step(plan, "recurrent_decay").value == 1e-4
    assert space(plan)["recurrent_decay"] == (1e-4, 1e-3)


def test_what_disturbs_is_not_searched_where_nothing_is_learned_by_heart() -> None:
    plan = planning.planned(judged(passed=("RNN601",)))
    assert "recurrent_dropout" in settings(plan)
    assert "recurrent_dropout" not in space(plan)
    assert "by heart" in left_out(plan)["recurrent_dropout"]


def test_what_the_documents_warn_of_is_never_searched() -> None:
    plan = planning.planned(judged(finding("RNN601", "error")))
    assert {"activity_regularizer", "use_bias", "early_stopping"} <= set(left_out(plan))


# ---------------------------------------------------------------- findings


def test_overfitting_asks_for_all_of_document_b() -> None:
    plan = planning.planned(judged(finding("RNN601", "error"), passed=()))
    wanted = {"kernel_decay", "recurrent_decay", "recurrent_dropout", "units"}
    assert wanted <= set(space(plan))
    assert space(plan)["units"] == (32, 64)
    assert step(plan, "units").value == 32


def test_worse_findings_come_first() -> None:
    plan = planning.planned(judged(finding("RNN102", "error"), finding("RNN204", "note")))
    order = settings(plan)
    assert order.index("clipping") < order.index("recurrent_dropout")
    assert step(plan, "recurrent_decay").value == 1e-3


def test_decay_goes_up_tenfold_from_what_is_there() -> None:
    own = replace(NOTHING, recurrent_decay=Setting(value=2e-4, source="config"))
    plan = planning.planned(judged(finding("RNN101"), own=own))
    assert step(plan, "recurrent_decay").value == 2e-3
    assert space(plan)["recurrent_decay"] == (2e-4, 2e-3)


def test_decay_at_its_end_is_no_step() -> None:
    own = replace(NOTHING, recurrent_decay=Setting(value=1e-2, source="config"))
    plan = planning.planned(judged(finding("RNN101"), own=own))
    assert "recurrent_decay" not in settings(plan)
    assert "as far as" in left_out(plan)["recurrent_decay"]


def test_a_bound_takes_the_place_of_a_first_decay() -> None:
    high = Setting(value=0.02, source="config")
    found = (finding("RNN411", "note"), finding("RNN401", "note"))
    plan = planning.planned(judged(*found, learning_rate=high))
    assert {"max_norm", "learning_rate"} <= set(space(plan))
    assert space(plan)["learning_rate"] == (0.002, 0.02)
    assert "bound" in left_out(plan)["kernel_decay"]
    assert plan.tied == ()


def test_input_dropout_goes_down_to_document_a() -> None:
    own = replace(NOTHING, dropout=Setting(value=0.5, source="config"))
    dropped = judged(finding("RNN406"), own=own)
    assert step(planning.planned(dropped), "dropout").value == 0.1
    assert space(planning.planned(dropped))["dropout"] == (0.0, 0.2)
    assert step(planning.planned(dropped, profile="b"), "dropout").value == 0.3


def test_same_decay_is_parted_by_size() -> None:
    both = Setting(value=1e-3, source="config")
    own = replace(NOTHING, kernel_decay=both, recurrent_decay=both)
    evidence = {"decay": 1e-3, "kernel_norm": 2.0, "recurrent_norm": 10.0}
    small = {"weight_norms": norms(kernel=2.0)}
    found = finding("RNN402", evidence=evidence)
    plan = planning.planned(judged(found, own=own, measurements=small))
    assert step(plan, "kernel_decay").value == 2e-4
    assert space(plan)["kernel_decay"] == (1e-4, 1e-3)
    assert "recurrent_decay" not in settings(plan)


@pytest.mark.parametrize(
    ("worse", "value", "next_"), [("higher", 0.1, 0.01), ("lower", 1e-6, 1e-4)]
)
def test_decay_out_of_range_comes_back(worse: Any, value: float, next_: float) -> None:
    measured = Measured(name="recurrent_kernel_decay", value=value, worse=worse)
    evidence = {"kernel_decay": 1e-4, "recurrent kernel_decay": value}
    own = replace(NOTHING, recurrent_decay=Setting(value=value, source="config"))
    found = finding("RNN404", measured=measured, evidence=evidence)
    assert step(planning.planned(judged(found, own=own)), "recurrent_decay").value == next_


def test_a_new_start_comes_first_but_not_for_a_note() -> None:
    advice = Advice(text="initialise the biases", source="Tallec & Ollivier 2018")
    grave = planning.planned(judged(finding("RNN101", advice=(advice,))))
    assert (grave.steps[0].setting, grave.steps[0].kind) == ("start", "repair")
    noted = planning.planned(judged(finding("RNN101", "note", advice=(advice,))))
    assert (noted.steps[-1].setting, noted.steps[-1].kind) == ("start", "last")


def test_biases_follow_a_matrix_without_decay_and_have_none() -> None:
    """A bound keeps the kernel without decay, and biases get no more than either."""
    plan = planning.planned(judged(finding("RNN101"), finding("RNN411", "note")))
    assert "recurrent_decay" in space(plan)
    assert "kernel_decay" not in space(plan)
    assert plan.tied == ()


def test_a_cause_is_repaired_before_underfitting_is_searched() -> None:
    alone = planning.planned(judged(finding("RNN602")))
    assert "learning_rate" in space(alone)
    caused = planning.planned(judged(finding("RNN602"), finding("RNN101", "note")))
    assert "learning_rate" not in space(caused)
    assert "cause" in left_out(caused)["learning_rate"]


def test_layer_normalization_is_first_where_activations_are_extreme() -> None:
    assert step(planning.planned(judged()), "normalization").value == "batch"
    assert step(planning.planned(judged(finding("RNN202"))), "normalization").value == "layer"


# ---------------------------------------------------------------- findings that disagree


def test_the_worse_finding_is_followed() -> None:
    plan = planning.planned(judged(finding("RNN102", "error"), finding("RNN602")))
    assert step(plan, "recurrent_decay").value == 1e-3
    (conflict,) = [own for own in plan.conflicts if own.setting == "recurrent decay"]
    assert conflict.taken == "more for RNN102"
    assert conflict.left == "less for RNN602"
    assert conflict.why == "it is the worse finding"


def test_underfitting_holds_back_what_is_only_an_option() -> None:
    plan = planning.planned(judged(finding("RNN602"), finding("RNN401", "note")))
    assert not {"kernel_decay", "recurrent_decay", "dropout"} & set(settings(plan))
    assert "too little is learned" in left_out(plan)["kernel_decay"]
    assert plan.conflicts == ()


def test_underfitting_takes_away_what_is_there() -> None:
    own = replace(NOTHING, recurrent_dropout=Setting(value=0.5, source="config"))
    plan = planning.planned(judged(finding("RNN602"), own=own))
    assert step(plan, "recurrent_dropout").value == 0.25
    assert step(plan, "units").value == 128


def test_what_was_measured_of_a_setting_counts_more_than_a_worse_finding() -> None:
    own = replace(NOTHING, recurrent_decay=Setting(value=1e-2, source="config"))
    plan = planning.planned(judged(finding("RNN601", "error"), finding("RNN306"), own=own))
    assert step(plan, "recurrent_decay").value == 1e-3
    (conflict,) = [own for own in plan.conflicts if own.setting == "recurrent decay"]
    assert "measured" in conflict.why


def test_no_setting_is_both_raised_and_lowered() -> None:
    """All rules at once: each setting is one step at most, and one dimension at most."""
    everything = [finding(code, advice=()) for code in rules.catalogue()]
    plan = planning.planned(judged(*everything))
    assert len(settings(plan)) == len(set(settings(plan)))
    assert not set(space(plan)) & set(left_out(plan))


# ---------------------------------------------------------------- trials


def test_trials_lead_to_the_next_rung_first() -> None:
    done = trials(
        {"recurrent_dropout": 0, "val_loss": 2.0}, {"recurrent_dropout": 0.2, "val_loss": 1.9}
    )
    plan = planning.planned(judged(finding("RNN102", "error")), done)
    assert plan.steps[0].setting == "recurrent_dropout"
    assert plan.steps[0].value == 0.4
    assert plan.best is not None
    assert plan.best.value == 1.9


def test_scrapped_by_the_trials_is_scrapped_whatever_the_rules_say() -> None:
    done = trials(
        {"recurrent_dropout": 0, "val_loss": 2.0}, {"recurrent_dropout": 0.2, "val_loss": 2.1}
    )
    plan = planning.planned(judged(finding("RNN601", "error")), done)
    assert "recurrent_dropout" not in settings(plan)
    assert "none of it helped" in left_out(plan)["recurrent_dropout"]
    assert plan.conflicts[0].taken == "none, by the trials"


def test_interior_best_is_refined_between_its_neighbours() -> None:
    """Rates 0, .2, .4, .5 with the best at .4: .5 is a rung away, .3 lies half-way to .2."""
    losses = {0.0: 2.6, 0.2: 2.4, 0.4: 2.3, 0.5: 2.35}
    done = trials(*({"recurrent_dropout": k, "val_loss": v} for k, v in losses.items()))
    plan = planning.planned(judged(finding("RNN601")), done)
    assert step(plan, "recurrent_dropout").value == 0.3
    assert space(plan)["recurrent_dropout"] == (0.2, 0.5)


def test_best_at_the_edge_is_followed_outwards() -> None:
    """1e-3 is better than 1e-4 and than none: half a decade further up is next."""
    losses = {0.0: 2.2, 1e-3: 2.0, 1e-4: 2.1}
    done = trials(*({"recurrent_decay": k, "val_loss": v} for k, v in losses.items()))
    plan = planning.planned(judged(), done)
    assert step(plan, "recurrent_decay").value == 3e-3
    assert space(plan)["recurrent_decay"] == (1e-4, 1e-2)


def test_finer_values_come_after_what_is_new() -> None:
    losses = {0.0: 2.2, 1e-3: 2.0, 1e-4: 2.1}
    done = trials(*({"recurrent_decay": k, "val_loss": v} for k, v in losses.items()))
    assert settings(planning.planned(judged(), done))[-1] == "recurrent_decay"


def test_a_rung_widens_the_range_that_is_fitted_to_the_matrix() -> None:
    """The much smaller kernel would get 1e-5 to 1e-4; the ladder begins with 1e-3."""
    small = {"weight_norms": norms(kernel=0.5)}
    done = trials({"kernel_decay": 0, "val_loss": 2.0}, {"kernel_decay": 1e-4, "val_loss": 1.9})
    plan = planning.planned(judged(measurements=small), done)
    assert step(plan, "kernel_decay").value == 1e-3
    assert space(plan)["kernel_decay"] == (1e-5, 1e-3)


def test_a_search_begins_with_the_best_trial_wherever_it_lies() -> None:
    done = trials({"kernel_decay": 1e-5, "val_loss": 1.0}, {"kernel_decay": 1e-4, "val_loss": 1.1})
    (own,) = [own for own in planning.planned(judged(), done).space if own.name == "kernel_decay"]
    assert (own.low, own.high, own.ladder) == (1e-5, 1e-3, (1e-5, 1e-3))


def test_several_seeds_count_by_their_best() -> None:
    rows = [(0.0, 2.2), (1e-3, 2.0), (1e-4, 1.9), (1e-4, 2.3)]
    done = trials(*({"learning_rate": k or 1e-2, "val_loss": v} for k, v in rows))
    assert _tried.tried(done)["learning_rate"].best == 1e-4


def test_higher_metrics_can_be_better() -> None:
    done = replace(
        trials(
            {"dropout": 0, "accuracy": 0.8}, {"dropout": 0.1, "accuracy": 0.9}, metric="accuracy"
        ),
        lower_is_better=False,
    )
    plan = planning.planned(judged(), done)
    assert step(plan, "dropout").value == 0.2
    assert plan.best is not None
    assert plan.best.value == 0.9


def test_trials_that_all_diverged_have_no_best_value() -> None:
    best = _tried.best(trials({"dropout": 0.1, "val_loss": float("inf")}))
    assert best is not None
    assert best.value is None


def test_trials_that_do_not_name_a_setting_say_nothing_of_it() -> None:
    assert _tried.tried(trials({"hidden": 64, "val_loss": 1.0})) == {}


def test_scrapped_kinds_of_normalization_are_not_tried_again() -> None:
    done = trials(
        {"normalization": "none", "val_loss": 1.0}, {"normalization": "batch", "val_loss": 1.2}
    )
    plan = planning.planned(judged(), done)
    assert step(plan, "normalization").value == "layer"
    (own,) = [own for own in plan.space if own.name == "normalization"]
    assert own.choices == ("none", "layer")


# ---------------------------------------------------------------- the whole plan


def test_nothing_analysed_is_no_plan() -> None:
    made = judged()
    layers = tuple(replace(own, analysed=False, reason="too odd") for own in made.layers)
    plan = planning.planned(replace(made, layers=layers))
    assert plan.exit_code == 3
    assert (plan.steps, plan.space) == ((), ())
    assert plan.notes == ("too odd",)
    assert plan.summary.startswith("no recurrent layer could be analysed")
    nothing = planning.planned(replace(made, layers=()))
    assert nothing.summary == "no recurrent layer was found, so that there is nothing to plan"


def test_trials_that_were_left_out_are_told() -> None:
    done = replace(trials({"dropout": 0, "val_loss": 1.0}), notes=("1 trial left out: FAIL",))
    assert "trials.csv: 1 trial left out: FAIL" in planning.planned(judged(), done).notes


def test_biases_get_no_more_than_either_matrix() -> None:
    plan = planning.planned(judged())
    (tied,) = plan.tied
    assert (tied.name, tied.least_of) == ("bias_decay", ("kernel_decay", "recurrent_decay"))
    without = replace(NOTHING, use_bias=Setting(value=False, source="config"))
    assert planning.planned(judged(own=without)).tied == ()


@pytest.mark.parametrize("code", list(rules.catalogue()))
def test_each_rule_alone_makes_a_sound_plan(code: str) -> None:
    plan = planning.planned(judged(finding(code)))
    for own in plan.space:
        if own.kind == "categorical":
            assert set(own.ladder) <= set(own.choices)
            continue
        assert own.low is not None
        assert own.high is not None
        assert own.low > 0 or own.kind == "uniform"
        assert own.low < own.high
        assert all(own.low <= float(rung) <= own.high for rung in own.ladder), own.name
    for own in plan.steps:
        assert re.match(r"[AB]: ", own.source), own
