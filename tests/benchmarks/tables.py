"""Figures as a table on the terminal and as a page to keep."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.table import Table

from tests.benchmarks.figures import Figure

RESULTS = Path(__file__).with_name("RESULTS.md")
HEADS = ("measured", "over", "figure", "quickest runs", "rounds", "target", "reached", "of")
KEY = """\
Contestants take turns (A B C A B C …) after a round that does not count. A figure is a ratio
of medians unless it has a unit of its own. Beside it stands the ratio of the quickest runs, which
is what is left of it where other work keeps the machine busy, and the least and the greatest ratio
of two runs of one round. A target is what a figure has to be at most; a ratio reaches it where that
of the medians does and that of the quickest runs.
"""
_PREFACE = f"""# Benchmarks

`make bench` writes this page; `python -m tests.benchmarks --only NAME --write` writes a part of it
anew.

{KEY}"""


def cells(figure: Figure) -> tuple[str, ...]:
    """One figure as texts, in the order of `HEADS`."""
    spread, unit = figure.spread, "" if figure.unit == "×" else f" {figure.unit}"
    reached = {None: "", True: "yes", False: "**no**"}[figure.reached]
    return (
        figure.what,
        figure.against,
        "not measured" if figure.value is None else f"{_number(figure.value)}{unit}",
        _number(spread.quickest) if spread else "",
        f"{_number(spread.low)} – {_number(spread.high)}" if spread else "",
        "" if figure.target is None else f"≤ {figure.target:g}{unit}",
        reached,
        figure.note,
    )


def _number(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:,.0f}"


def terminal(title: str, figures: Sequence[Figure]) -> Table:
    """A table for a terminal."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for head in HEADS:
        table.add_column(head)
    for figure in figures:
        table.add_row(*(text.replace("**", "") for text in cells(figure)))
    return table


def section(text: str, machine: str, figures: Sequence[Figure]) -> str:
    """One row's part of the page; the first line of its docstring `text` is the heading."""
    title, _, about = text.strip().partition("\n")
    rule = "|".join(["---"] * len(HEADS))
    rows = [HEADS, *map(cells, figures)]
    first, *others = (f"| {' | '.join(row)} |" for row in rows)
    parts = (f"## {title.rstrip('.')}", about.strip(), "\n".join((first, f"|{rule}|", *others)))
    return "\n\n".join((*parts, f"Taken on {machine}.")) + "\n"


def write(sections: Sequence[str], path: Path = RESULTS) -> None:
    """Put the sections on the page, in the places of those with the same headings."""
    kept = dict(_sections(path.read_text(encoding="utf-8"))) if path.exists() else {}
    for text in sections:
        kept[text.partition("\n")[0]] = text
    page = "\n".join((_PREFACE, *(kept[heading] for heading in sorted(kept))))
    path.write_text(page, encoding="utf-8")


def _sections(page: str) -> Iterator[tuple[str, str]]:
    for part in page.split("\n## ")[1:]:
        text = f"## {part.strip()}\n"
        yield text.partition("\n")[0], text
