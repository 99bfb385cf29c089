"""What is neither a finding nor a fault, and has to be said all the same."""

from __future__ import annotations

import json
from typing import Any

import judged
import pytest

from rnndiag.outputs.reports import github, gitlab, junit, markdown, sarif, table
from rnndiag.outputs.reports import json as json_output
from rnndiag.records import Outcome, Settings

CONFLICTS = (
    "learning_rate is 0.1 by config, 0.2 by a.toml; taken: a.toml",
    "epochs is 3 by checkpoint, 2 by a.toml; taken: a.toml",
)
DOUBT = "the wiring of a state dict is assumed"


def outcome(**changes: Any) -> Outcome:
    unsure = judged.finding(confidence="medium", doubt=DOUBT)
    values = {"settings": Settings(conflicts=CONFLICTS), "notes": ("no mask | was *found*",)}
    return Outcome(reports=(judged.report("a.h5", unsure, **{**values, **changes}),))


def printed(format: Any, *, verbose: bool = False) -> str:
    text: str = format.render(outcome(), width=200, color=False, verbose=verbose)
    return text


def test_conflicts_in_github_are_notices() -> None:
    lines = printed(github).splitlines()
    for conflict in CONFLICTS:
        place = "::notice file=a.h5,title=conflicting-settings::network: "
        assert f"{place}{conflict}" in lines


def test_conflicts_in_sarif_are_notifications_and_no_failure() -> None:
    (run,) = json.loads(printed(sarif))["runs"]
    (went,) = run["invocations"]
    assert [
        (told["descriptor"]["id"], told["level"], told["message"]["text"])
        for told in went["toolExecutionNotifications"]
    ] == [("conflicting-settings", "note", f"network: {text}") for text in CONFLICTS]
    assert went["executionSuccessful"]


def test_conflicts_in_gitlab_are_told_apart() -> None:
    issues = [own for own in json.loads(printed(gitlab)) if own["severity"] == "info"]
    assert [own["check_name"] for own in issues] == ["conflicting-settings"] * 2
    assert len({own["fingerprint"] for own in issues}) == 2


def test_conflicts_in_junit_are_no_test_cases() -> None:
    assert "conflicting-settings" not in printed(junit)
    plain = junit.render(outcome(settings=None), width=80, color=False, verbose=False)
    assert printed(junit) == plain


def test_conflicts_in_json() -> None:
    assert json.loads(printed(json_output))["settings"]["conflicts"] == list(CONFLICTS)


def test_conflicts_and_notes_in_markdown() -> None:
    text = printed(markdown)
    for conflict in CONFLICTS:
        assert f"- **note**, `network`: {conflict.replace('_', chr(92) + '_')}\n" in text
    assert "- no mask \\| was \\*found\\*\n" in text


@pytest.mark.parametrize("format", [markdown, table])
def test_a_doubt_is_told_where_all_is(format: Any) -> None:
    assert DOUBT not in printed(format)
    assert f"medium confidence: {DOUBT}" in printed(format, verbose=True).replace("Med", "med")
