"""What the tables are made of."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from typing import TypeVar

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from rnndiag.printable import printable

Key = TypeVar("Key")


def grid(*columns: str, texts: int = 1) -> Table:
    """A table without lines: the first `texts` columns hold words, the others numbers."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for k, column in enumerate(columns):
        table.add_column(column, justify="left" if k < texts else "right", no_wrap=k >= texts)
    table.columns[0].no_wrap = True
    return table


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


def printed(show: Callable[[Console], None], *, width: int, color: bool) -> str:
    """What `show` prints on a console so wide."""
    stream = io.StringIO()
    console = Console(
        file=stream,
        width=width,
        force_terminal=color,
        color_system="standard" if color else None,
        highlight=False,
        emoji=False,
        markup=False,
    )
    console.push_render_hook(_Printables())
    show(console)
    # Rich pads rows to the full width; a file or a pipe has no use for that.
    return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().splitlines())


class _Printables(RenderHook):
    """Keeps from a terminal what names in a file may hold to fool it."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """What is printed, each thing wrapped."""
        return [_Printable(own) for own in renderables]


class _Printable:
    def __init__(self, wrapped: ConsoleRenderable) -> None:
        self._wrapped = wrapped

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for text, style, control in console.render(self._wrapped, options):
            yield Segment(printable(text), style, control)
