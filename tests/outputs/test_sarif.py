"""SARIF: against the schema of version 2.1.0, and against what the outcome says."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

import judged
import pytest
from jsonschema import Draft4Validator

from rnndiag import rule_docs, rules
from rnndiag.outputs.reports import sarif
from rnndiag.records import Outcome
from rnndiag.rules.base import HEADINGS

SCHEMA = Path(__file__).parents[1] / "data/sarif/sarif-2.1.0-rtm.5.json"


@cache
def validator() -> Draft4Validator:
    return Draft4Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


def log(outcome: Outcome, *, verbose: bool = False) -> dict[str, Any]:
    text = sarif.render(outcome, width=80, color=False, verbose=verbose)
    data: dict[str, Any] = json.loads(text, parse_constant=pytest.fail)
    # Half of a surrogate pair has no UTF-8, and no place in JSON.
    assert json.dumps(data, ensure_ascii=False).encode()
    return data


def run(outcome: Outcome, *, verbose: bool = False) -> dict[str, Any]:
    (only,) = log(outcome, verbose=verbose)["runs"]
    return dict(only)


def one(**changes: Any) -> dict[str, Any]:
    outcome = Outcome(reports=(judged.report("a.h5", judged.finding(**changes)),))
    (result,) = run(outcome)["results"]
    return dict(result)


def uris(data: Any) -> Iterator[str]:
    if isinstance(data, dict):
        yield from (value for key, value in data.items() if key == "uri")
        data = list(data.values())
    if isinstance(data, list):
        for item in data:
            yield from uris(item)


@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize("outcome", [judged.clean(), judged.everything()], ids=["clean", "all"])
def test_it_follows_the_schema(outcome: Outcome, verbose: bool) -> None:
    assert [error.message for error in validator().iter_errors(log(outcome, verbose=verbose))] == []


def test_the_schema_would_notice() -> None:
    data = log(judged.everything())
    data["runs"][0]["results"][0]["level"] = "fatal"
    del data["runs"][0]["tool"]["driver"]["name"]
    assert len(list(validator().iter_errors(data))) == 2


def test_every_rule_that_was_asked_explains_itself() -> None:
    described = run(judged.everything())["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in described] == sorted(judged.NAMES)
    assert [rule["name"] for rule in described] == list(judged.NAMES.values())
    for rule in described:
        if rule["id"] not in rules.catalogue():
            assert set(rule) == {"id", "name"}
            continue
        module = rules.catalogue()[rule["id"]]
        doc = rule_docs.of(module)
        assert rule["shortDescription"]["text"] == f"{doc.summary}."
        means, matters = (doc.sections[heading].strip() for heading in HEADINGS[:2])
        assert rule["fullDescription"]["text"] == f"{means}\n\n{matters}"
        headings = [line for line in rule["help"]["markdown"].splitlines() if line[:3] == "## "]
        assert headings == [f"## {heading}" for heading in HEADINGS]
        assert doc.sections["ELI5"].strip() in rule["help"]["text"]
        assert "helpUri" not in rule
        assert rule["defaultConfiguration"] == {"level": module.RULE.severity}
        assert module.RULE.family in rule["properties"]["tags"]
    assert "RNN101" in rules.catalogue()


def test_each_result_points_at_its_rule() -> None:
    data = run(judged.everything(), verbose=True)
    described = data["tool"]["driver"]["rules"]
    # Seven findings, and two rules skipped that did not break.
    assert len(data["results"]) == 7 + 2
    for result in data["results"]:
        assert described[result["ruleIndex"]]["id"] == result["ruleId"]
    (broken,) = [
        item
        for item in data["invocations"][0]["toolExecutionNotifications"]
        if item["descriptor"]["id"] == "broken-rule"
    ]
    assert described[broken["associatedRule"]["index"]]["id"] == "RNN410"


def test_a_result_says_where_how_sure_and_what_to_try() -> None:
    result = one(call=1, direction="backward", capped="low on noise", evidence={"x": float("inf")})
    (location,) = result["locations"]
    assert location["physicalLocation"]["artifactLocation"]["uri"] == "a.h5"
    assert location["logicalLocations"] == [
        {"name": "lstm", "fullyQualifiedName": "lstm#1/backward", "kind": "layer"}
    ]
    assert result["level"] == "error"
    assert result["message"]["text"] == (
        "lstm#1/backward: the gradient reaches 3 of 100 steps back, fewer than 4 (low on noise). "
        "Try first: decay the recurrent kernel: 0.0001, then ten times that."
    )
    properties = result["properties"]
    assert properties["confidence"] == "high"
    assert properties["evidence"] == {"x": None}
    assert properties["measured"] == {"name": "span", "value": 3.0, "worse": "lower"}
    assert properties["advice"][0]["snippet"] == judged.DECAY.snippet
    assert [advice["source"] for advice in properties["advice"]] == [
        "A: weight decay 2",
        "A: what to do 11",
    ]


def test_braces_are_no_placeholders() -> None:
    assert "{{0}}" in one(layer="a{0}")["message"]["text"]


def test_fingerprints_tell_places_apart_and_not_measured_values() -> None:
    marks = [
        one(**changes)["partialFingerprints"]
        for changes in ({}, {"message": "other", "measured": None}, {"direction": "backward"})
    ]
    assert marks[0] == marks[1] != marks[2]
    # The one that GitHub goes by.
    assert marks[0]["primaryLocationLineHash"] != marks[2]["primaryLocationLineHash"]


def test_uris_are_valid_and_lead_back_to_the_files() -> None:
    found = list(uris(run(judged.everything())))
    read = set()
    for uri in found:
        parts = urlsplit(uri)
        assert parts.scheme in ("", "file")
        assert (parts.scheme == "file") == parts.path.startswith("/")
        assert not parts.query + parts.fragment
        assert uri.isascii()
        assert not set(uri) & set(' |<>"`\n')
        read.add(os.fsdecode(unquote_to_bytes(parts.path)))
    assert read == {"runs/good.h5", judged.PATH, "/data/no rnn.pt", "gone.h5"}


def test_a_name_that_is_no_utf8_keeps_its_bytes() -> None:
    path = os.fsdecode(b"run\xff.h5")
    (artifact,) = run(Outcome(reports=(judged.report(path),)))["artifacts"]
    assert artifact["location"]["uri"] == "run%FF.h5"
    assert artifact["hashes"] == {"sha-256": "ab" * 32}
    assert artifact["length"] == 2048


def test_the_baseline_is_told_of_where_there_is_one() -> None:
    states = [
        (result.get("baselineState"), bool(result.get("suppressions")), result["ruleId"])
        for result in run(judged.everything())["results"]
    ]
    assert states.count(("unchanged", True, "RNN202")) == 1
    assert [state for state, *_ in states].count("new") == 6
    assert not {"baselineState", "suppressions"} & set(one())


def test_skipped_rules_are_results_only_where_asked_for() -> None:
    kinds = [
        [
            result.get("kind", "fail")
            for result in run(judged.everything(), verbose=verbose)["results"]
        ]
        for verbose in (False, True)
    ]
    assert kinds[0] == ["fail"] * 7
    assert kinds[1].count("notApplicable") == 2
    last = run(judged.clean(), verbose=True)["results"][-1]
    assert last["message"]["text"] == (
        "network: not judged: the decay is not known: give --context FILE"
    )
    assert last["level"] == "none"


def test_the_invocation_tells_what_could_not_be_judged() -> None:
    (went,) = run(judged.everything())["invocations"]
    assert (went["executionSuccessful"], went["exitCode"]) == (False, 3)
    told = [
        (item["descriptor"]["id"], item["level"]) for item in went["toolExecutionNotifications"]
    ]
    assert told == [
        ("unread-checkpoint", "error"),
        ("layer-not-analysed", "warning"),
        ("broken-rule", "error"),
        ("nothing-analysed", "error"),
    ]


@pytest.mark.parametrize(("status", "fine"), [(0, True), (1, True), (3, False)])
def test_findings_do_not_make_a_run_unsuccessful(status: int, fine: bool) -> None:
    (went,) = run(Outcome(reports=(judged.report("a.h5", exit_code=status),)))["invocations"]
    assert went["executionSuccessful"] is fine
    assert went["exitCode"] == status
