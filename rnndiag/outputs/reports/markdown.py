"""Markdown for a pull request's comment or a job's summary: GitHub's and GitLab's kind.

Names of files and layers stand in code spans, where neither markup nor mentions nor
references to issues work; sentences are escaped.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence

from rnndiag.outputs._grid import grouped
from rnndiag.outputs.judged import (
    Answer,
    evidence,
    judgement,
    not_read,
    ordered,
    summary,
    troubles,
    where,
)
from rnndiag.outputs.reports._coverage import array_counts, rows
from rnndiag.printable import one_line, printable
from rnndiag.records import Finding, Outcome, Report
from rnndiag.wording import counted

_OPEN = 3
"""Rules whose advice is open; that of the others is a click away."""
_MARKUP = re.compile(r"[\\`*_\[\]~|$]")


def render(outcome: Outcome, *, width: int, color: bool, verbose: bool) -> str:
    """A section for each checkpoint; `verbose` adds what passed and what was skipped."""
    blocks = [f"## rnndiag: {summary(outcome)}"]
    for unread in outcome.unread:
        message = escaped(not_read(unread).message)
        blocks += [f"### {code(unread.path)}", f"**Not read:** {message}"]
    for report in outcome.reports:
        blocks += _checkpoint(report, verbose)
    blocks.append(f"exit status {outcome.exit_code}")
    return "\n\n".join(blocks) + "\n"


def _checkpoint(report: Report, verbose: bool) -> Iterator[str]:
    findings = ordered(report)
    yield f"### {code(report.checkpoint.path)}"
    yield _about(report)
    found = [
        f"- **{trouble.severity}**, {code(trouble.where)}: {escaped(trouble.message)}"
        for trouble in troubles(report)
    ]
    found += [f"- {escaped(note)}" for note in report.notes]
    if found:
        yield "\n".join(found)
    if findings:
        yield _table(findings)
    yield from _advice(findings, verbose)
    yield _counts(report)
    if verbose and report.coverage:
        yield _folded(array_counts(report), ["\n".join(_arrays(report))])
    if verbose:
        yield from _rest(report)


def _about(report: Report) -> str:
    """What was run, so that nobody takes noise for data."""
    file, probe = report.checkpoint, report.probe
    framework = {"keras": "Keras", "torch": "PyTorch"}[file.framework]
    analysed = sum(layer.analysed for layer in report.layers)
    done = f"{analysed} of {len(report.layers)} RNN layers and directions analysed"
    fed = "synthetic probe: what depends on data is no error; give `--probe FILE`"
    if probe.source == "file":
        steps = counted(probe.timesteps, "timestep")
        fed = f"probe from file: {counted(probe.batch, 'sample')}, {steps}"
    return f"{framework}, {done}; {fed}"


def _table(findings: Sequence[Finding]) -> str:
    rows = ["| severity | confidence | rule | where | finding |", "|---|---|---|---|---|"]
    for finding in findings:
        known = " (known)" if finding.known else ""
        what = f" ({escaped(finding.capped)})" if finding.capped else ""
        cells = (
            f"{finding.severity if known else f'**{finding.severity}**'}{known}",
            finding.confidence,
            _rule(finding),
            # In a table a pipe is escaped even in code.
            code(where(finding)).replace("|", "\\|"),
            f"{escaped(finding.message)}{what}",
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _arrays(report: Report) -> Iterator[str]:
    for title, role, count, names in rows(report):
        yield f"- {code(title)}: {count} {role}: {escaped(names)}"


def _counts(report: Report) -> str:
    said = judgement(report)
    passed = len({item.rule for item in said.passed})
    skipped = len({item.rule for item in said.skipped})
    return f"{counted(passed, 'rule')} passed, {skipped} skipped"


# ---------------------------------------------------------------- advice


def _advice(findings: Sequence[Finding], verbose: bool) -> Iterator[str]:
    """For each rule what to try at the first of its places, with `verbose` at each."""
    by_rule: dict[str, list[Finding]] = {}
    for finding in findings:
        by_rule.setdefault(finding.rule, []).append(finding)
    open_: list[list[Finding]] = []
    closed: list[list[Finding]] = []
    for group in by_rule.values():
        is_open = len(open_) < _OPEN and not group[0].known
        (open_ if is_open else closed).append(group)
    for group in open_:
        yield from _steps(group, verbose)
    if closed:
        blocks = [block for group in closed for block in _steps(group, verbose)]
        yield _folded(f"Advice on {counted(len(closed), 'more rule')}", blocks)


def _steps(group: Sequence[Finding], verbose: bool) -> Iterator[str]:
    for finding in group if verbose else group[:1]:
        yield f"#### {_rule(finding)}, {code(where(finding))}"
        known = [f"{code(name)} {escaped(text)}" for name, text in evidence(finding).items()]
        if known:
            yield f"Evidence: {'; '.join(known)}"
        if verbose and finding.doubt:
            yield f"{finding.confidence.capitalize()} confidence: {escaped(finding.doubt)}"
        if finding.advice:
            yield "\n".join(_numbered(finding))
    others = [] if verbose else [code(where(other)) for other in group[1:]]
    if others:
        yield f"The same for {', '.join(others)}"


def _numbered(finding: Finding) -> Iterator[str]:
    for number, advice in enumerate(finding.advice, 1):
        mark = f"{number}. "
        yield f"{mark}{escaped(advice.text)} ({escaped(advice.source)})"
        if advice.snippet:
            # Indented below the number, the snippet belongs to the step.
            yield from (" " * len(mark) + line for line in _fenced(advice.snippet))


def _fenced(snippet: str) -> list[str]:
    fence = "`" * max(3, _longest_run(snippet) + 1)
    return [f"{fence}python", *printable(snippet).split("\n"), fence]


# ---------------------------------------------------------------- what verbose adds


def _rest(report: Report) -> Iterator[str]:
    """What passed, and what was skipped and why, each rule with its places."""
    said = judgement(report)
    passed = grouped((_rule(item), code(where(item))) for item in said.passed)
    if passed:
        lines = [f"- {rule}: {', '.join(places)}" for rule, places in passed.items()]
        yield _folded("Passed", ["\n".join(lines)])
    skipped = grouped(((_rule(item), item.reason), code(where(item))) for item in said.skipped)
    if skipped:
        lines = [
            f"- {rule}, {', '.join(places)}: {escaped(reason)}"
            for (rule, reason), places in skipped.items()
        ]
        yield _folded("Skipped", ["\n".join(lines)])


def _rule(answer: Answer) -> str:
    return f"{answer.rule} {escaped(answer.name)}"


def _folded(title: str, blocks: Sequence[str]) -> str:
    inside = "\n\n".join(blocks)
    return f"<details>\n<summary>{html.escape(title)}</summary>\n\n{inside}\n\n</details>"


# ---------------------------------------------------------------- escaping


def escaped(text: str) -> str:
    """`text` as one line in which no character is markup or HTML."""
    return _MARKUP.sub(r"\\\g<0>", html.escape(one_line(text), quote=False))


def code(text: str) -> str:
    """`text` as a code span, which may have backticks in it."""
    line = one_line(text)
    fence = "`" * (_longest_run(line) + 1)
    padded = f" {line} " if line[:1] in "` " or line[-1:] in "` " else line
    return f"{fence}{padded}{fence}"


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
