"""Start-up.

Whole processes, over the least that they could cost: importing the one library that the
command cannot do without. By the clock on the wall, and by processor time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial

from tests.benchmarks import processes
from tests.benchmarks.contest import Clock, Contestant, alternate
from tests.benchmarks.figures import Effort, Figure, compared

INSPECT = ("inspect", "samples/recall_default.pt")
PAIRS = (
    (INSPECT, processes.IMPORT_TORCH, 1.5),
    (("--help",), ("-c", "import click"), 2.0),
)
"""Arguments of rnndiag, what Python does in the other process, and the target."""
CLOCKS: dict[str, Clock] = {"": time.perf_counter, ", processor time": processes.user_seconds}


def figures(effort: Effort) -> Iterator[Figure]:
    """Each pair by each clock; the target is meant for the one on the wall."""
    for command, other, target in PAIRS:
        entrants = [
            Contestant(name="ours", run=_process(*processes.rnndiag(*command))),
            Contestant(name="theirs", run=_process(*other)),
        ]
        for told, clock in list(CLOCKS.items())[: 1 if effort.quick else None]:
            times = alternate(entrants, effort.pace, clock)
            what, against = f"rnndiag {' '.join(command)}{told}", f'python -c "{other[1]}"'
            aim = target if clock is time.perf_counter else None
            yield compared(what, against, times["ours"], times["theirs"], aim)


def _process(*arguments: str) -> Callable[[], None]:
    return partial(processes.run, *arguments)
