"""What a policy may say, by whatever names; and what breaks while a rule is asked."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rule_reports import HEALTHY, layer, report

import rnndiag
from rnndiag import judging, rules
from rnndiag.errors import BadOption
from rnndiag.outputs.reports import json as json_output
from rnndiag.records import Outcome, Policy, Report
from rnndiag.rules.base import Thresholds


def dead(share: float) -> Report:
    activity = replace(HEALTHY["unit_activity"], dead_share=share)
    return report(layer(measurements={**HEALTHY, "unit_activity": activity}))


def severities(**policy: Any) -> list[str]:
    made = judging.judge(dead(0.2), Policy(select=("RNN201",), **policy)).judgement
    assert made is not None
    return [found.severity for found in made.findings]


@pytest.mark.parametrize("rule", ["RNN201", "rnn201", "dead-units", "DEAD_UNITS"])
def test_severity_and_thresholds_go_by_code_and_name(rule: str) -> None:
    assert severities() == ["warning"]
    assert severities(severity={rule: "note"}) == ["note"]
    assert severities(thresholds={rule: {"warning": 0.3}}) == []


@pytest.mark.parametrize("field", ["severity", "thresholds"])
def test_rules_that_there_are_not(field: str) -> None:
    value = "note" if field == "severity" else {"warning": 0.3}
    for call in (judging.check, lambda policy: judging.judge(dead(0.2), policy)):
        with pytest.raises(BadOption, match="no rule 'RNN999'"):
            call(Policy(**{field: {"RNN999": value}}))  # type: ignore[arg-type]
        with pytest.raises(BadOption, match="RNN201 is set twice, once as 'dead-units'"):
            call(Policy(**{field: {"RNN201": value, "dead-units": value}}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        ({"fail_on": "warnings"}, "fail_on is 'warnings'"),
        ({"profile": "c"}, "profile is 'c'"),
        ({"lag": 0}, "lag is 0"),
        ({"lag": 2.5}, "lag is 2.5"),
        ({"select": "RNN101"}, "select is a text"),
        ({"ignore": "RNN101"}, "ignore is a text"),
        ({"severity": {"RNN101": "fatal"}}, "the severity of RNN101 is 'fatal'"),
    ],
)
def test_a_policy_that_makes_no_sense(chosen: Mapping[str, Any], told: str) -> None:
    with pytest.raises(BadOption, match=told) as caught:
        rnndiag.advise("there is no such file", **chosen)
    assert caught.value.message.startswith(told)


# ---------------------------------------------------------------- thresholds

CUTS = [
    (code, name, cut.least)
    for code, module in rules.catalogue().items()
    for name, cut in getattr(module, "Cuts", Thresholds).cuts().items()
]


@pytest.mark.parametrize(("code", "name", "least"), CUTS)
def test_thresholds_are_finite_and_large_enough(code: str, name: str, least: float | None) -> None:
    rule = rules.name_of(rules.catalogue()[code])
    low = {None: [0, -1.0], 0: [-1e-9], -math.inf: []}[least]
    for value in (*low, math.nan, math.inf, "1", True):
        with pytest.raises(BadOption, match=f"the threshold {name} of {rule} is"):
            judging.check(Policy(thresholds={code: {name: value}}))  # type: ignore[dict-item]
    judging.check(Policy(thresholds={code: {name: 1e-9 if least is None else max(least, -1)}}))


# ---------------------------------------------------------------- what breaks


def test_a_fact_that_breaks_is_the_fault_of_one_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(check: Any, question: Any) -> Any:
        if check is rules.catalogue()["RNN202"].check:
            raise KeyError("lost")
        return arguments(check, question)

    arguments = judging.arguments
    monkeypatch.setattr(judging, "arguments", broken)
    judged = judging.judge(dead(0.9), Policy(select=("RNN201", "RNN202")))
    assert judged.judgement is not None
    (item,) = judged.judgement.skipped
    assert (item.rule, item.error) == ("RNN202", True)
    assert item.reason == "internal error: KeyError: 'lost'"
    # What the others have found is told, and the status is that of an internal error.
    assert [found.rule for found in judged.judgement.findings] == ["RNN201"]
    assert judged.exit_code == 2
    relaxed = Policy(fail_on="never")
    assert judging.status(judged, judged.judgement, relaxed) == 2
    nothing = replace(judged, layers=())
    assert judging.status(nothing, judged.judgement, relaxed) == 3


# ---------------------------------------------------------------- from Python


def test_one_report_is_judged_and_several_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "saved.json"
    for count in (1, 2):
        data = json_output.as_data(Outcome(reports=(dead(0.2),) * count))
        file.write_text(json.dumps(data), encoding="utf-8")
        if count == 1:
            judged = rnndiag.advise(str(file), thresholds={"dead-units": {"error": 0.15}})
            assert judged.exit_code == 1
        else:
            with pytest.raises(BadOption, match="holds 2 reports"):
                rnndiag.advise(str(file))
