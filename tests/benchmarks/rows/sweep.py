"""Sweep.

A thousand small checkpoints by one command with two processes, its start included, over as many
times what one of them takes in a process that is warm; and the same in processor time, which is
what sweeping adds to measuring, however busy the machine is otherwise.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import nn

from rnndiag import pipeline
from rnndiag.records import Options
from tests.benchmarks import processes
from tests.benchmarks.figures import Effort, Figure, duration

COUNT, QUICK_COUNT = 1_000, 16
SINGLE = 20
"""How many are timed one by one, half of them before the sweep and half after."""
TARGET, TARGET_EACH = 0.6, 50.0


class Small(nn.Module):
    """A recurrent layer of 16 to 32 units, and a head."""

    def __init__(self, number: int) -> None:
        super().__init__()
        units = 16 + number % 17
        self.rnn = (nn.LSTM, nn.GRU)[number % 2](4, units)
        self.head = nn.Linear(units, 1)


def figures(effort: Effort) -> Iterator[Figure]:
    """The ratio, and milliseconds for each checkpoint; a few checkpoints in a quick run."""
    count = QUICK_COUNT if effort.quick else COUNT
    with tempfile.TemporaryDirectory() as folder:
        paths = _checkpoints(Path(folder) / "many", count)
        _singly(paths[:2])
        some = paths[:SINGLE]
        before = _singly(some[::2])
        seconds, spent = _sweep(Path(folder), count)
        taken = zip(*before, *_singly(some[1::2]), strict=True)
        single, spent_on_one = map(statistics.median, taken)
    what = f"sweep of {count:,} checkpoints with 2 processes"
    note = f"{duration(seconds)}; one takes {duration(single)}"
    # What a process costs once is most of the time of a few checkpoints.
    targets = (None, None) if effort.quick else (TARGET, TARGET_EACH)
    against = f"{count:,} times a single one"
    ratio = seconds / (count * single)
    yield Figure(what=what, against=against, value=ratio, target=targets[0], note=note)
    yield Figure(
        what=what,
        against=f"{against}, processor time",
        value=spent / (count * spent_on_one),
        note=f"{duration(spent)}; one takes {duration(spent_on_one)}",
    )
    each = 1000 * seconds / count
    yield Figure(
        what=what, against="each checkpoint", value=each, unit="ms", target=targets[1], note=note
    )


def _checkpoints(folder: Path, count: int) -> list[Path]:
    folder.mkdir()
    paths = [folder / f"{number}.pt" for number in range(count)]
    for number, path in enumerate(paths):
        torch.manual_seed(number)
        torch.save(Small(number).state_dict(), path)
    return paths


def _singly(paths: Sequence[Path]) -> list[tuple[float, float]]:
    """Seconds by the clock and of the processor, for each."""
    found = []
    for path in paths:
        start, began = time.perf_counter(), time.process_time()
        pipeline.diagnose(str(path), Options())
        found.append((time.perf_counter() - start, time.process_time() - began))
    return found


def _sweep(folder: Path, count: int) -> tuple[float, float]:
    """The same of the whole command, its processes included."""
    rows = folder / "rows"
    arguments = ("sweep", str(folder / "many"), "--jobs", "2", "-o", str(rows), "-q")
    start, began = time.perf_counter(), processes.user_seconds()
    processes.run(*processes.rnndiag(*arguments, "--fail-on", "never"))
    seconds, spent = time.perf_counter() - start, processes.user_seconds() - began
    written = len((rows / "sweep.jsonl").read_text(encoding="utf-8").splitlines())
    if written != count:
        raise RuntimeError(f"{written} rows for {count} checkpoints")
    return seconds, spent
