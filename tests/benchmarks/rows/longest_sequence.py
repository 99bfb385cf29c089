"""The longest sequence.

Peak memory of a process that inspects the sample LSTM at 100,000 timesteps, with the default
batch and number of seeds.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from tests.benchmarks import processes
from tests.benchmarks.figures import Effort, Figure, duration, left_out

COMMAND = ("inspect", "samples/recall_default.pt", "--timesteps", "100000")
TARGET = 2_000.0
"""Megabytes."""


def figures(effort: Effort) -> Iterator[Figure]:
    """One run, in a process of its own; none in a quick run."""
    what = f"rnndiag {' '.join(COMMAND)}: peak memory"
    if effort.quick:
        yield left_out(what, "nothing", "not in a quick run", TARGET)
        return
    start = time.perf_counter()
    peak = processes.peak_memory(processes.rnndiag(*COMMAND))
    yield Figure(
        what=what,
        against="nothing",
        value=peak / 1e6,
        unit="MB",
        target=TARGET,
        note=f"in {duration(time.perf_counter() - start)}",
    )
