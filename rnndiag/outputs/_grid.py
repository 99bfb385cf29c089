"""What the tables are made of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from rich.table import Table
from rich.text import Text

from rnndiag.records import LayerReport, Skipped

Key = TypeVar("Key")


def grid(*columns: str, texts: int = 1) -> Table:
    """A table without lines: the first `texts` columns hold words, the others numbers."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for k, column in enumerate(columns):
        table.add_column(column, justify="left" if k < texts else "right", no_wrap=k >= texts)
    table.columns[0].no_wrap = True
    return table


def fact_of(layer: LayerReport, name: str) -> Any:
    """A measurement's fact; None where it was skipped."""
    fact = layer.measurements.get(name)
    return None if fact is None or isinstance(fact, Skipped) else fact


def grouped(pairs: Iterable[tuple[Key, str]]) -> dict[Key, list[str]]:
    """Texts by their key, in the order of first sight."""
    groups: dict[Key, list[str]] = {}
    for key, text in pairs:
        groups.setdefault(key, []).append(text)
    return groups


def bullet(text: str, style: str = "") -> Table:
    """One remark below the tables."""
    row = Table.grid(padding=(0, 1))
    row.add_row("•", Text(text, style=style))
    return row
