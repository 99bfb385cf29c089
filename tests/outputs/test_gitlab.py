"""GitLab's Code Quality report: what its documentation asks of each issue."""

from __future__ import annotations

import json
from typing import Any

import judged
import pytest

from rnndiag.outputs.reports import gitlab
from rnndiag.records import Finding, Judgement, Measured, Outcome

SCHEMA = {"description", "check_name", "fingerprint", "severity", "location"}


def issues(outcome: Outcome) -> list[dict[str, Any]]:
    read: list[dict[str, Any]] = json.loads(
        gitlab.render(outcome, width=80, color=False, verbose=False)
    )
    return read


def mark(finding: Finding, path: str = "a.h5") -> str:
    (issue,) = issues(Outcome(reports=(judged.report(path, finding),)))
    return str(issue["fingerprint"])


def test_every_issue_has_what_gitlab_asks_for() -> None:
    found = issues(judged.everything())
    assert len(found) == 4 + 7
    for issue in found:
        assert set(issue) == SCHEMA
        assert issue["severity"] in ("info", "minor", "major", "critical", "blocker")
        assert issue["location"]["lines"] == {"begin": 1}
        assert issue["description"]
    places = {issue["location"]["path"] for issue in found}
    assert places == {judged.PATH, "/data/no rnn.pt", "gone.h5"}
    # GitLab drops issues whose fingerprint it has seen.
    assert len({issue["fingerprint"] for issue in found}) == len(found)


def test_what_could_not_be_judged_is_an_issue() -> None:
    kinds = [issue["check_name"] for issue in issues(judged.everything())[:4]]
    assert kinds == ["unread-checkpoint", "layer-not-analysed", "broken-rule", "nothing-analysed"]


@pytest.mark.parametrize(
    ("changes", "severity"),
    [
        ({"severity": "error"}, "critical"),
        ({"severity": "warning"}, "minor"),
        ({"severity": "note"}, "info"),
        ({"severity": "error", "known": True}, "info"),
    ],
)
def test_severities(changes: dict[str, Any], severity: str) -> None:
    (issue,) = issues(Outcome(reports=(judged.report("a.h5", judged.finding(**changes)),)))
    assert issue["severity"] == severity
    assert issue["check_name"] == "vanishing-gradient"
    known = " (known: in the baseline)" if changes.get("known") else ""
    assert issue["description"] == (
        "RNN101 vanishing-gradient: lstm/forward: the gradient reaches 3 of 100 steps back, "
        f"fewer than 4{known}"
    )


def test_a_fingerprint_stays_when_the_measured_value_changes() -> None:
    changed = judged.finding(
        message="the gradient reaches 2 of 100 steps back, fewer than 4",
        severity="warning",
        confidence="low",
        measured=Measured(name="span", value=2.0, worse="lower"),
        evidence={"span": 2},
        advice=(),
        known=True,
    )
    assert mark(changed) == mark(judged.finding())


def test_a_fingerprint_tells_rule_place_and_file_apart() -> None:
    marks = [
        mark(judged.finding()),
        mark(judged.finding(), "b.h5"),
        mark(judged.finding("RNN202")),
        mark(judged.finding(layer="gru")),
        mark(judged.finding(direction="backward")),
        mark(judged.finding(call=1)),
        mark(judged.finding(layer=None, direction=None)),
    ]
    assert len(set(marks)) == len(marks)
    assert mark(judged.finding(), "./a.h5") == marks[0]


def test_two_rules_that_broke_are_two_issues() -> None:
    broken = tuple(judged.skipped(rule, "internal error", error=True) for rule in judged.NAMES)
    report = judged.report("a.h5", judgement=Judgement(findings=(), skipped=broken))
    found = issues(Outcome(reports=(report,)))
    assert len({issue["fingerprint"] for issue in found}) == len(judged.NAMES)


def test_clean_is_an_empty_list() -> None:
    assert issues(judged.clean()) == []
