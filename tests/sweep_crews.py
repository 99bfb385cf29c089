"""A crew for tests of what a sweep measures: without the seconds that processes take to start."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

from rnndiag.sweeping import Crew, _tasks


@contextmanager
def at_hand(jobs: int, limit: float) -> Iterator[Crew]:
    """A crew within this process, which has torch already."""
    with ThreadPoolExecutor(1) as thread:
        yield Crew(submit=partial(thread.submit, _tasks.measure), most=2)
