"""The catalogue of rules and each rule's explanation, all from the rules' own docstrings.

The text is laid out here and not by rich: loading that takes longer than all the rest.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from types import ModuleType
from typing import Any

from rnndiag import rule_docs, rules
from rnndiag.rules.base import HEADINGS, Cut, Thresholds

TITLES = {
    "A": "an answer on regularizing recurrent networks",
    "B": "paper notes: RNN regularization (ELI5)",
}
"""The two documents that the rules follow: a rule cites a section as ``A: what to do 1``."""
ELI5, SOURCES = HEADINGS[-2:]
_WIDEST = 96
"""Columns of prose: longer lines are hard to read."""
_BOLD, _DIM = "1", "2"
"""Codes of terminals (ECMA-48, SGR)."""
_MARK = re.compile(r"(?:-|\d+\.) ")
"""What the items of a list begin with."""


def rule_table(*, width: int, color: bool) -> str:
    """Every rule in a line or two, by family."""
    lines: list[str] = []
    for family, own in groupby(rules.catalogue().items(), lambda item: item[1].RULE.family):
        lines += ["", _styled(family, _BOLD, color)]
        for code, module in own:
            name, summary = rules.name_of(module), rule_docs.of(module).summary
            head = f"{code}  {module.RULE.severity:<7}  "
            row = _wrapped(f"{name}: {_small(summary)}", width, head)
            lines += [row[0].replace(name, _styled(name, _BOLD, color), 1), *row[1:]]
    lines += ["", "`rnndiag explain RULE` says more of one, `--eli5` in the simplest words."]
    return _text(lines[1:])


def rule_json() -> str:
    """Every rule with its thresholds and explanation."""
    found = [_data(code, module) for code, module in rules.catalogue().items()]
    return json.dumps(found, indent=2) + "\n"


def rule_markdown() -> str:
    """Every rule as a row of a table."""
    rows = ["| rule | name | severity | finds | sources |", "|---|---|---|---|---|"]
    for code, module in rules.catalogue().items():
        doc = rule_docs.of(module)
        cited = "; ".join(source for source in doc.sources if _document(source))
        name, severity = rules.name_of(module), module.RULE.severity
        rows.append(f"| {code} | `{name}` | {severity} | {doc.summary} | {cited} |")
    return "\n".join(rows) + "\n"


def explanation(code: str, *, eli5: bool, width: int, color: bool) -> str:
    """One rule's docstring and thresholds; with `eli5` for everyone."""
    module, width = rules.catalogue()[code], min(width, _WIDEST)
    doc, rule = rule_docs.of(module), module.RULE
    title = _wrapped(f"{code} {rules.name_of(module)}: {_small(doc.summary)}", width)
    usual = f"{rule.family}; {rule.severity}, where the numbers do not tell otherwise"
    lines = [_styled(line, _BOLD, color) for line in title]
    lines += [_styled(line, _DIM, color) for line in _wrapped(usual, width)]
    if eli5:
        return _text([*lines, "", *_prose(doc.sections[ELI5], width)])
    parts = {heading: list(_prose(doc.sections[heading], width, "  ")) for heading in HEADINGS}
    del parts[ELI5]
    parts[SOURCES] = list(_sources(doc.sources, width))
    parts[f"Thresholds: --threshold {code}.NAME=N"] = list(_thresholds(_cuts(module), width))
    for heading, body in parts.items():
        if body:
            lines += ["", _styled(heading, _BOLD, color), *body]
    return _text(lines)


# ---------------------------------------------------------------- parts of an explanation


def _sources(sources: Sequence[str], width: int) -> Iterator[str]:
    """Each document with its sections, then each paper."""
    for key, title in TITLES.items():
        sections = [own.removeprefix(f"{key}: ") for own in sources if _document(own) == key]
        if sections:
            yield from _wrapped(f"{key}, {title}: {', '.join(sections)}", width, "  - ")
    for paper in (own for own in sources if _document(own) is None):
        yield from _wrapped(paper, width, "  - ")


def _document(source: str) -> str | None:
    """The document that a source is a section of; None for papers."""
    return next((key for key in TITLES if source.startswith(f"{key}: ")), None)


def _thresholds(cuts: Mapping[str, Cut], width: int) -> Iterator[str]:
    """Each threshold with its default, and below that where the number comes from."""
    room = max(map(len, cuts), default=0)
    for name, cut in cuts.items():
        yield from _wrapped(f"{cut.default:g} {cut.unit}", width, f"  {name:<{room}}  ")
        yield from _wrapped(cut.source, width, " " * (room + 4))


def _cuts(module: ModuleType) -> dict[str, Cut]:
    found: dict[str, Cut] = getattr(module, "Cuts", Thresholds).cuts()
    return found


def _data(code: str, module: ModuleType) -> dict[str, Any]:
    doc = rule_docs.of(module)
    return {
        "code": code,
        "name": rules.name_of(module),
        "family": module.RULE.family,
        "severity": module.RULE.severity,
        "rests_on": module.RULE.rests_on,
        "summary": doc.summary,
        "explanation": {heading: text.strip() for heading, text in doc.sections.items()},
        "sources": list(doc.sources),
        "thresholds": [
            {"name": name, "default": cut.default, "unit": cut.unit, "source": cut.source}
            for name, cut in _cuts(module).items()
        ],
    }


# ---------------------------------------------------------------- layout


def _prose(text: str, width: int, indent: str = "") -> Iterator[str]:
    """Paragraphs and lists, the items of a list hanging from their marks."""
    # Docstrings set code in two backticks; for a reader one is enough.
    for paragraph in text.strip().replace("``", "`").splitlines():
        mark = _MARK.match(paragraph)
        head = mark.group() if mark else ""
        yield from _wrapped(paragraph[len(head) :], width, indent + head)


def _wrapped(text: str, width: int, head: str = "") -> list[str]:
    """`text` behind `head`, in lines of `width` that begin where it begins."""
    below = " " * len(head)
    return textwrap.wrap(
        text,
        width,
        initial_indent=head,
        subsequent_indent=below,
        # Names and options stay whole: they are to be copied.
        break_on_hyphens=False,
        break_long_words=False,
    ) or [head.rstrip()]


def _small(summary: str) -> str:
    """A summary within a sentence; what begins with a name (RNN, L2) stays as it is."""
    return summary if summary[1:2].isupper() else summary[:1].lower() + summary[1:]


def _styled(text: str, code: str, color: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if color else text


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
