"""A progress bar on stderr once work lasts over a second."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress as Shown

PATIENCE = 1.0
"""Seconds before anything is shown."""

Progress = Callable[[str, float], None]
"""Takes what is being done and the share of all work that lies behind."""


def silent(what: str, done: float) -> None:
    """A progress report that nobody reads."""


def part(progress: Progress, start: float, end: float) -> Progress:
    """Of all work the share between two points."""
    return lambda what, done: progress(what, start + (end - start) * done)


@contextmanager
def bar(*, quiet: bool) -> Iterator[Progress]:
    """Give a function to report progress to; it shows nothing unless stderr is a terminal."""
    if quiet or not sys.stderr.isatty():
        yield silent
        return
    from rich import progress
    from rich.console import Console

    text = progress.TextColumn("{task.description}")
    columns = (progress.SpinnerColumn(), progress.BarColumn(), text, progress.TimeElapsedColumn())
    shown = progress.Progress(*columns, console=Console(stderr=True), transient=True)
    task = shown.add_task("starting", total=1.0)
    with _patiently(shown):
        yield lambda what, done: shown.update(task, description=what, completed=done)


Count = Callable[[int, str], None]
"""Takes how many more of the pieces of work are done, and what is to be said so far."""


def uncounted(more: int, said: str) -> None:
    """A count that nobody reads."""


@contextmanager
def counter(total: int, *, quiet: bool) -> Iterator[Count]:
    """As `bar`, for `total` pieces of work: with their rate, and how long the rest will take."""
    if quiet or not sys.stderr.isatty():
        yield uncounted
        return
    from rich import progress
    from rich.console import Console
    from rich.table import Column

    columns = (
        progress.BarColumn(bar_width=20),
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.fields[rate]}"),
        progress.TimeRemainingColumn(),
        # In what room is left: however much there is to say, it must not push the bar aside.
        progress.TextColumn("{task.description}", table_column=Column(no_wrap=True, ratio=1)),
    )
    console = Console(stderr=True)
    shown = progress.Progress(*columns, console=console, transient=True, expand=True)
    task = shown.add_task("starting", total=total, rate="")

    def count(more: int, said: str) -> None:
        shown.update(task, advance=more, description=said)
        speed = shown.tasks[0].speed
        shown.update(task, rate=f"{speed:.3g}/s" if speed else "")

    with _patiently(shown):
        yield count


@contextmanager
def _patiently(shown: Shown) -> Iterator[None]:
    """Show a bar once the work has lasted: it is gone again at the end."""
    # The work says nothing while it is busy, so a clock of its own brings the bar up.
    clock = threading.Timer(PATIENCE, shown.start)
    clock.start()
    try:
        yield
    finally:
        clock.cancel()
        shown.stop()
