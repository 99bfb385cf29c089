"""Workers in a row: each runs a case at a time, and is replaced when it dies or takes too long."""

from __future__ import annotations

import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from tests.fuzz.seeds import ROOT
from tests.fuzz.worker import Outcome

LONGEST = 20.0
"""Seconds of the processor that a case may take; making it counts, but takes little of that."""
_WAITING = 6
"""How many times as long a case may take on a clock: the machine may be busy with other things."""
_START = 120.0
"""Seconds of the processor until a worker has imported everything."""
_TICKS = os.sysconf("SC_CLK_TCK")


class Worker:
    """A process, and the case that it has."""

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self.root = Path(tempfile.mkdtemp(prefix="rnndiag-fuzz-"))
        self.number: int | None = None
        self._ready = False
        self._since, self._used = time.monotonic(), 0.0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.worker", str(self.root)],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @property
    def answers(self) -> IO[str]:
        """Where outcomes come from."""
        assert self._process.stdout is not None
        return self._process.stdout

    @property
    def overdue(self) -> bool:
        """Whether it has had its time."""
        longest = self._longest if self._ready else _START
        waited = time.monotonic() - self._since
        return self._seconds() - self._used > longest or waited > _WAITING * longest

    def give(self, number: int) -> None:
        """The next case."""
        assert self._process.stdin is not None
        self.number, self._since, self._used = number, time.monotonic(), self._seconds()
        self._process.stdin.write(f"{number}\n")
        self._process.stdin.flush()

    def answered(self) -> Outcome | None:
        """What it says; None that it is ready. An end without an answer is an outcome, too."""
        line = self.answers.readline()
        if line == "ready\n":
            self._ready = True
            return None
        return Outcome(**json.loads(line)) if line else self._dead()

    def ended(self) -> Outcome:
        """Killed for taking too long."""
        assert self.number is not None, "a worker did not start"
        self._process.send_signal(signal.SIGABRT)  # faulthandler then tells where it is
        self._process.wait()
        return Outcome(number=self.number, verdict="timeout", detail=self._last_words())

    def close(self) -> None:
        """End it, and remove its folders."""
        self._process.kill()
        self._process.communicate()
        shutil.rmtree(self.root, ignore_errors=True)

    def _seconds(self) -> float:
        """Of the processor, until now."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def _dead(self) -> Outcome:
        status = self._process.wait()
        assert self.number is not None, f"a worker did not start: {self._noise()}"
        what = signal.Signals(-status).name if status < 0 else f"status {status}"
        detail = f"{what}\n{self._last_words()}"
        return Outcome(number=self.number, verdict="death", detail=detail)

    def _last_words(self) -> str:
        return (self.root / "death").read_text()[:3000]

    def _noise(self) -> str:
        return (self.root / "noise").read_text(errors="replace")[-3000:]


def run(numbers: Iterable[int], jobs: int, longest: float = LONGEST) -> Iterator[Outcome]:
    """The outcomes of cases, in the order in which they are done."""
    left = iter(numbers)
    with selectors.DefaultSelector() as selector:
        for _ in range(jobs):
            _start(selector, longest)
        try:
            while selector.get_map():
                yield from _turn(selector, left, longest)
        finally:
            for key in list(selector.get_map().values()):
                key.data.close()


def _turn(
    selector: selectors.BaseSelector, left: Iterator[int], longest: float
) -> Iterator[Outcome]:
    """What workers say within a second; those that are free get their next case."""
    heard = {key.data for key, _ in selector.select(timeout=1.0)}
    for worker in [key.data for key in selector.get_map().values()]:
        if worker in heard:
            outcome = worker.answered()
        elif worker.overdue:
            outcome = worker.ended()
        else:
            continue
        if outcome is not None:
            yield outcome
        if outcome is not None and outcome.verdict in ("death", "timeout"):
            _stop(selector, worker)
            worker = _start(selector, longest)
            continue
        number = next(left, None)
        if number is None:
            _stop(selector, worker)
        else:
            worker.give(number)


def _start(selector: selectors.BaseSelector, longest: float) -> Worker:
    worker = Worker(longest)
    selector.register(worker.answers, selectors.EVENT_READ, worker)
    return worker


def _stop(selector: selectors.BaseSelector, worker: Worker) -> None:
    selector.unregister(worker.answers)
    worker.close()
