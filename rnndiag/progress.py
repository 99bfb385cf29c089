"""A progress bar on stderr once work lasts over a second."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

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
    # The work says nothing while it is busy, so a clock of its own brings the bar up.
    clock = threading.Timer(PATIENCE, shown.start)
    clock.start()
    try:
        yield lambda what, done: shown.update(task, description=what, completed=done)
    finally:
        clock.cancel()
        shown.stop()
