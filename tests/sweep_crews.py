"""Sweeps for tests of what they measure: without the seconds that processes take to start."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from advise_runs import FAST, network, run
from click.testing import Result

from rnndiag.sweeping import Crew, _tasks


@contextmanager
def at_hand(jobs: int, limit: float | None) -> Iterator[Crew]:
    """A crew within this process, which has torch already."""
    with ThreadPoolExecutor(1) as thread:
        yield Crew(submit=partial(thread.submit, _tasks.measure), most=2)


def sweep(*arguments: object) -> Result:
    return run("sweep", *arguments, *FAST, "-q")


def some_runs(folder: Path) -> Path:
    """Two checkpoints, and one that is broken off."""
    folder.mkdir()
    network(folder / "1.pt")
    network(folder / "2.pt", weight_hh_l0=2)
    (folder / "3.pt").write_bytes((folder / "1.pt").read_bytes()[:300])
    return folder


def alive(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "sweep.jsonl").read_text().splitlines()]
