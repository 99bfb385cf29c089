"""The catalogue of rules and each rule's explanation, all from the rules' own docstrings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from rnndiag import rules
from rnndiag.rules import _docs
from rnndiag.rules._documents import TITLES
from rnndiag.rules.base import HEADINGS, Thresholds

ELI5, SOURCES = HEADINGS[-2:]


def rule_table(*, width: int, color: bool) -> str:
    """Every rule in a line or two, by family."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in ("rule", "severity", "name and what it finds"):
        table.add_column(column)
    family = ""
    for code, module in rules.catalogue().items():
        if module.RULE.family != family:
            family = module.RULE.family
            table.add_row("", "", Text(family, "bold"))
        what = Text.assemble((rules.name_of(module), "bold"), f": {_docs.of(module).summary}")
        table.add_row(code, module.RULE.severity, what)
    return _rendered(table, width=width, color=color)


def rule_json() -> str:
    """Every rule with its thresholds and explanation."""
    found = [_data(code, module) for code, module in rules.catalogue().items()]
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def rule_markdown() -> str:
    """Every rule as a row of a table."""
    rows = ["| rule | name | severity | finds | sources |", "|---|---|---|---|---|"]
    for code, module in rules.catalogue().items():
        doc = _docs.of(module)
        cited = "; ".join(source for source in doc.sources if source[0] in TITLES)
        name, severity = rules.name_of(module), module.RULE.severity
        rows.append(f"| {code} | `{name}` | {severity} | {doc.summary} | {cited} |")
    return "\n".join(rows) + "\n"


def explanation(code: str, *, eli5: bool, width: int, color: bool) -> str:
    """One rule's docstring and thresholds; with `eli5` for everyone."""
    from rich.console import Group

    module = rules.catalogue()[code]
    return _rendered(Group(*_parts(code, module, eli5)), width=min(width, 96), color=color)


def _parts(code: str, module: ModuleType, eli5: bool) -> Iterator[Any]:
    from rich.padding import Padding
    from rich.text import Text

    doc = _docs.of(module)
    yield Text(f"{code} {rules.name_of(module)}: {doc.summary}", "bold")
    rule = module.RULE
    yield Text(f"{rule.family}; {rule.severity} where the numbers do not tell otherwise", "dim")
    if eli5:
        yield Text(f"\n{doc.sections[ELI5]}")
        return
    for heading in HEADINGS:
        if heading == ELI5:
            continue
        yield Text(f"\n{heading}", "bold")
        yield Padding(Text(doc.sections[heading].strip()), (0, 0, 0, 2))
        if heading == SOURCES:
            titles = [f"{key} is {title}." for key, title in TITLES.items()]
            yield Padding(Text(" ".join(titles), "dim"), (0, 0, 0, 2))
    cuts = getattr(module, "Cuts", Thresholds).cuts()
    if cuts:
        yield Text("\nThresholds", "bold")
    for name, cut in cuts.items():
        yield Padding(Text(f"{name} = {cut.default:g} {cut.unit} ({cut.source})"), (0, 0, 0, 2))


def _data(code: str, module: ModuleType) -> dict[str, Any]:
    doc = _docs.of(module)
    cuts = getattr(module, "Cuts", Thresholds).cuts()
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
            for name, cut in cuts.items()
        ],
    }


def _rendered(content: Any, *, width: int, color: bool) -> str:
    """Rich content as text; plain where there is no terminal."""
    import io

    from rich.console import Console

    stream = io.StringIO()
    console = Console(
        file=stream,
        width=width,
        force_terminal=color,
        color_system="standard" if color else None,
    )
    console.print(content, highlight=False, emoji=False, markup=False)
    return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().splitlines())
