"""JUnit XML: a suite for each checkpoint, a test case for each rule and place.

An error or a warning is a failure, unless the baseline knows it; a note passes, with its text
as output. Which failures make the process fail is `--fail-on`'s matter and not told here.
"""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from rnndiag.outputs.judged import (
    Answer,
    Trouble,
    answers,
    evidence,
    not_read,
    sentence,
    troubles,
    where,
)
from rnndiag.printable import printable
from rnndiag.records import Finding, NotJudged, Outcome, Report

_COUNTED = {"tests": "testcase", "failures": "failure", "errors": "error", "skipped": "skipped"}


def render(outcome: Outcome, *, width: int, color: bool, verbose: bool) -> str:
    """The whole report; what the terminal is changes nothing in it."""
    suites = Element("testsuites", name="rnndiag")
    suites.extend(map(_suite, outcome.reports))
    for unread in outcome.unread:
        suites.append(_counted(unread.path, [_trouble(not_read(unread))]))
    for name in ("tests", "failures", "errors"):
        suites.set(name, str(sum(int(suite.attrib[name]) for suite in suites)))
    ElementTree.indent(suites)
    # tostring's own declaration names the locale's encoding, whatever the file is written in.
    text = ElementTree.tostring(suites, encoding="unicode")
    # With references for all but ASCII it is UTF-8 even where stdout has another encoding.
    plain = text.encode("ascii", "xmlcharrefreplace").decode("ascii")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{plain}\n'


def _suite(report: Report) -> Element:
    path = report.checkpoint.path
    # What broke is a case of its rule's own, and a note nothing that could fail.
    kept = [own for own in troubles(report) if own.rule is None and own.severity != "note"]
    cases = [*map(_trouble, kept), *(_case(answer, path) for answer in answers(report))]
    return _counted(path, cases)


def _counted(name: str, cases: Iterable[Element]) -> Element:
    suite = Element("testsuite", name=printable(name))
    suite.extend(cases)
    for attribute, counted in _COUNTED.items():
        suite.set(attribute, str(sum(1 for _ in suite.iter(counted))))
    return suite


# ---------------------------------------------------------------- test cases


def _trouble(trouble: Trouble) -> Element:
    """An error; one layer among others that could not be analysed is skipped."""
    case = _empty(f"{trouble.kind} {trouble.where}", trouble.path)
    if trouble.severity == "error":
        _add(case, "error", trouble.message, type=trouble.kind)
    else:
        _add(case, "skipped", trouble.message)
    return case


def _case(answer: Answer, path: str) -> Element:
    case = _empty(f"{answer.rule} {answer.name} {where(answer)}", path)
    if isinstance(answer, NotJudged) and answer.error:
        _add(case, "error", answer.reason, type="broken-rule")
    elif isinstance(answer, NotJudged):
        _add(case, "skipped", answer.reason)
    elif isinstance(answer, Finding):
        _add_finding(case, answer)
    return case


def _add_finding(case: Element, finding: Finding) -> None:
    text = "\n".join(_body(finding))
    if finding.known or finding.severity == "note":
        _add(case, "system-out", None).text = printable(text)
    else:
        _add(case, "failure", finding.message, type=finding.severity).text = printable(text)


def _empty(name: str, path: str) -> Element:
    # The file stands in each case: GitLab tells test cases of two suites apart by it.
    return Element("testcase", classname=printable(path), name=printable(name))


def _add(case: Element, tag: str, message: str | None, **attributes: str) -> Element:
    if message is not None:
        attributes["message"] = printable(message)
    return SubElement(case, tag, attributes)


def _body(finding: Finding) -> list[str]:
    """Severity and confidence, evidence, and what to try, as lines of text."""
    lines = [f"{finding.severity}, {finding.confidence} confidence: {sentence(finding)}"]
    lines += [f"  {name}: {text}" for name, text in evidence(finding).items()]
    for number, advice in enumerate(finding.advice, 1):
        lines.append(f"{number}. {advice.text} [{advice.source}]")
        lines += [f"       {line}" for line in advice.snippet.splitlines()]
    return lines
