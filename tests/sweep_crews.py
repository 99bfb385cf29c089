"""Sweeps for tests of what they measure: without the seconds that processes take to start."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from advise_runs import FAST, run
from click.testing import Result

from rnndiag.sweeping import Crew, _tasks


@contextmanager
def at_hand(jobs: int, limit: float | None) -> Iterator[Crew]:
    """A crew within this process, which has torch already."""
    with ThreadPoolExecutor(1) as thread:
        yield Crew(submit=partial(thread.submit, _tasks.measure), most=2)


def sweep(*arguments: object) -> Result:
    return run("sweep", *arguments, *FAST, "-q")


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "sweep.jsonl").read_text().splitlines()]
