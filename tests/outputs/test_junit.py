"""JUnit XML: against the schema of Jenkins, and counted by hand."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import judged
import pytest
import xmlschema

from rnndiag.outputs.reports import junit
from rnndiag.records import Outcome

SCHEMA = Path(__file__).parents[1] / "data/junit/junit-10.xsd"


@cache
def schema() -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(str(SCHEMA))


def suites(outcome: Outcome) -> Element:
    text = junit.render(outcome, width=80, color=False, verbose=False)
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n')
    root = ElementTree.fromstring(text.encode())
    schema().validate(root)
    return root


def one(**changes: Any) -> Element:
    """The finding's test case; the others are a pass and a skipped rule."""
    (suite,) = suites(Outcome(reports=(judged.report("a.h5", judged.finding(**changes)),)))
    (case,) = [case for case in suite if case.attrib["name"].startswith("RNN101")]
    return case


def counts(element: Element) -> list[int]:
    names = ("tests", "failures", "errors", "skipped")
    return [int(element.attrib[name]) for name in names if name in element.attrib]


def test_counts_and_suites() -> None:
    root = suites(judged.everything())
    assert [(suite.attrib["name"], counts(suite)) for suite in root] == [
        ("runs/good.h5", [2, 0, 0, 1]),
        # Seven findings (four that fail), three passes, one skipped rule and one that broke,
        # one layer that was not analysed.
        (judged.PATH, [13, 4, 1, 2]),
        ("/data/no rnn.pt", [1, 0, 1, 0]),
        ("gone.h5", [1, 0, 1, 0]),
    ]
    assert counts(root) == [17, 4, 3]
    for suite in root:
        assert {case.attrib["classname"] for case in suite} == {suite.attrib["name"]}


def test_the_schema_would_notice() -> None:
    root = suites(judged.clean())
    del root[0].attrib["failures"]
    with pytest.raises(xmlschema.XMLSchemaValidationError):
        schema().validate(root)


@pytest.mark.parametrize("severity", ["error", "warning"])
def test_errors_and_warnings_are_failures(severity: str) -> None:
    (failure,) = one(severity=severity)
    assert failure.tag == "failure"
    assert failure.attrib == {
        "type": severity,
        "message": "the gradient reaches 3 of 100 steps back, fewer than 4",
    }
    assert failure.text == (
        f"{severity}, high confidence: lstm/forward: the gradient reaches 3 of 100 steps back, "
        "fewer than 4\n"
        "  span: 3\n"
        "  by_seed: 3, 2, 3\n"
        "1. decay the recurrent kernel: 0.0001, then ten times that [A: weight decay 2]\n"
        "       for group in groups:\n"
        "           group['weight_decay'] = 1e-4  # 100% of R\n"
        "2. normalize around the layer [A: what to do 11]"
    )


@pytest.mark.parametrize("changes", [{"severity": "note"}, {"severity": "error", "known": True}])
def test_notes_and_known_findings_pass_and_say_what_they_are(changes: dict[str, Any]) -> None:
    (output,) = one(**changes)
    assert output.tag == "system-out"
    assert str(output.text).startswith(f"{changes['severity']}, high confidence: lstm/forward: ")
    assert ("(known: in the baseline)" in str(output.text)) is changes.get("known", False)


def test_hostile_names_survive_as_far_as_xml_can_hold_them() -> None:
    root = suites(judged.everything())
    shown = judged.LAYER.translate({0x1B: "\ufffd", 0: "\ufffd", 0xDCFF: "\ufffd"})
    names = {case.attrib["name"] for case in root.iter("testcase")}
    assert f"RNN101 vanishing-gradient {shown}#1/forward" in names


def test_control_characters_are_replaced_everywhere() -> None:
    finding = judged.finding(message="\x1b[1m3\x00", evidence={"\x01": "\x02"})
    (suite,) = suites(Outcome(reports=(judged.report("a\x1b.h5", finding),)))
    assert suite.attrib["name"] == "a\ufffd.h5"
    (failure,) = suite.iter("failure")
    assert failure.attrib["message"] == "\ufffd[1m3\ufffd"
    assert "  \ufffd: \ufffd\n" in str(failure.text)


def test_what_was_not_judged() -> None:
    root = suites(judged.everything())
    told = [
        (element.tag, element.attrib.get("type"), element.attrib["message"])
        for element in root.iter()
        if element.tag in ("error", "skipped")
    ]
    unknown = "the decay is not known: give --context FILE"
    assert told == [
        ("skipped", None, unknown),
        ("skipped", None, "a cell that rnndiag does not know"),
        ("skipped", None, unknown),
        ("error", "broken-rule", "internal error: KeyError: 'a|b'\n::error::"),
        (
            "error",
            "nothing-analysed",
            "no recurrent layer could be analysed, so nothing was judged",
        ),
        ("error", "unread-checkpoint", "gone.h5: no such file (check the path)"),
    ]
