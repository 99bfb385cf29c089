"""Sweep on Dask.

Two hundred checkpoints on a real scheduler and two workers, one of which is killed half-way:
every row has to be there once. That is a test, which is run here by itself.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

from tests.benchmarks.figures import Effort, Figure, duration, left_out
from tests.benchmarks.processes import ROOT

WHAT = "sweep of 200 checkpoints on Dask, one of two workers killed"
FILE, TEST = "tests/sweeping/test_sweep_dask.py", "test_a_worker_killed_half_way_costs_no_row"


def figures(effort: Effort) -> Iterator[Figure]:
    """Whether the test fails; not in a quick run."""
    if effort.quick:
        yield left_out(WHAT, "every row once", "not in a quick run")
        return
    start = time.perf_counter()
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"{FILE}::{TEST}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    lasted = duration(time.perf_counter() - start)
    if done.returncode == 0 and " passed" not in done.stdout:
        yield left_out(WHAT, "every row once", "skipped: is Dask installed?", 0)
        return
    yield Figure(
        what=WHAT,
        against="every row once",
        value=float(done.returncode != 0),
        unit="failures",
        target=0,
        note=f"in {lasted}",
    )
