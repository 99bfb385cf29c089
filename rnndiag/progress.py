"""A sign of life on stderr once work lasts over a second."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_PATIENCE = 1.0
"""Seconds before anything is shown."""


@contextmanager
def spinner(*, quiet: bool) -> Iterator[Callable[[str], None]]:
    """Give a function that says what is being done; silent unless stderr is a terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=console, transient=True)
    task = bar.add_task("starting", total=None)
    started = time.monotonic()

    def say(what: str) -> None:
        bar.update(task, description=what)
        if time.monotonic() - started > _PATIENCE:
            bar.start()

    try:
        yield say
    finally:
        bar.stop()
