"""Annotations: read back as GitHub's runner reads a line of a job's log."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import judged
import pytest

from rnndiag.errors import BadOption
from rnndiag.outputs.reports import github
from rnndiag.records import Outcome

GOLDEN = Path(__file__).parents[1] / "golden/advise_github.txt"


def rendered(outcome: Outcome) -> list[str]:
    return github.render(outcome, width=80, color=False, verbose=False).splitlines()


def read_back(line: str) -> tuple[str, dict[str, str], str]:
    """Command, properties and message, in the order in which the runner takes a line apart."""
    assert line.startswith("::")
    head, _, data = line[2:].partition("::")
    command, _, rest = head.partition(" ")
    pairs = [pair.partition("=") for pair in rest.split(",")]
    properties = {key: decoded(value, ":", ",") for key, _, value in pairs}
    return command, properties, decoded(data)


def decoded(text: str, *more: str) -> str:
    for character in ("\r", "\n", *more):
        text = text.replace(f"%{ord(character):02X}", character)
    return text.replace("%25", "%")


def test_golden_output() -> None:
    text = github.render(judged.everything(), width=80, color=False, verbose=False)
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_hostile_names_come_back_whole_and_add_no_command() -> None:
    outcome = judged.everything()
    *commands, last = rendered(outcome)
    assert last == (
        "rnndiag: 2 errors, 2 warnings, 2 notes, 1 known, 1 not read, 1 without an analysed layer"
    )
    # One each: unread, nothing analysed, layer not analysed, broken rule; and seven findings.
    assert len(commands) == 4 + 7
    hostile = [read_back(line) for line in commands if "%0A" in line.partition("::error")[2]]
    (found,) = [
        parts for parts in hostile if parts[1]["title"].startswith("RNN101") and "#1" in parts[2]
    ]
    assert found[0] == "error"
    assert found[1] == {"file": judged.PATH, "title": "RNN101 vanishing-gradient"}
    shown = judged.LAYER.translate({0x1B: "\ufffd", 0: "\ufffd", 0xDCFF: "\ufffd"})
    assert found[2].startswith(f"{shown}#1/forward: the gradient reaches 3")
    assert found[2].endswith(f"Try first: {judged.DECAY.text} [{judged.DECAY.source}]")


def test_no_character_has_a_meaning_that_it_should_not() -> None:
    for line in rendered(judged.everything())[:-1]:
        command, properties, message = read_back(line)
        assert command in ("error", "warning", "notice")
        assert list(properties) == ["file", "title"]
        assert message
        assert not set(line) & {"\r", "\x1b", "\x00"}


@pytest.mark.parametrize(
    ("severity", "command"), [("error", "error"), ("warning", "warning"), ("note", "notice")]
)
def test_severities(severity: str, command: str) -> None:
    line, last = rendered(
        Outcome(reports=(judged.report("a.h5", judged.finding(severity=severity)),))
    )
    assert read_back(line)[0] == command
    assert last == f"rnndiag: 1 {severity}"


def test_a_known_finding_is_a_notice_that_says_so() -> None:
    known = judged.finding(known=True)
    line, last = rendered(Outcome(reports=(judged.report("a.h5", known),)))
    assert read_back(line)[0] == "notice"
    assert "(known: in the baseline)" in line
    assert last == "rnndiag: 1 known"


def test_the_most_urgent_of_all_files_come_first() -> None:
    unsure = judged.report("a.h5", judged.finding(confidence="low"), judged.finding(known=True))
    sure = judged.report("b.h5", judged.finding())
    lines = rendered(Outcome(reports=(unsure, sure)))[:-1]
    assert [read_back(line)[1]["file"] for line in lines] == ["b.h5", "a.h5", "a.h5"]
    assert "known" in lines[2]


def test_clean_is_one_line_and_unjudged_is_refused() -> None:
    assert rendered(judged.clean()) == ["rnndiag: no findings"]
    unjudged = replace(judged.report("a.h5"), judgement=None)
    with pytest.raises(BadOption, match=r"a\.h5 is not judged"):
        rendered(Outcome(reports=(unjudged,)))
