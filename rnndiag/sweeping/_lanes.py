"""Processes in which a call may crash or hang, and nothing but its own answer is lost.

`concurrent.futures.ProcessPoolExecutor` gives all calls up once one of its processes dies, and
cannot end one that hangs. Here each process has one call at a time, so that it is known whose
fault it was; processes of multiprocessing would not start within a Dask worker.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from rnndiag.errors import RnndiagError

A = TypeVar("A")
T = TypeVar("T")

_START = (
    "import sys; sys.path[:] = {paths!r}; from rnndiag.sweeping import _serving; "
    "_serving.serve({folder!r})"
)
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
"""As many processes as cores leave nothing to further threads."""
_GRACE = 5.0
"""Seconds that a process may take to end once it can be spoken to no more."""
_BREAKS = (EOFError, OSError, ValueError, pickle.UnpicklingError)
"""What reading from a process gives that has ended, or whose pipes were closed."""


class Lost(Exception):
    """A call's process ended before it answered; the message says how."""


class Hung(Lost):
    """It was ended, because it had taken too long."""


class Closed(Lost):
    """Nothing is run any more."""


class Lane:
    """One process, which runs one call after another."""

    def __init__(self) -> None:
        # What a call that is ended leaves behind goes with the process.
        self._folder = tempfile.TemporaryDirectory(prefix="rnndiag-", ignore_cleanup_errors=True)
        start = _START.format(paths=sys.path, folder=self._folder.name)
        self._process = subprocess.Popen(
            [sys.executable, "-c", start],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # A user's own choice of threads wins.
            env={**_ONE_THREAD, **os.environ, "TMPDIR": self._folder.name},
            start_new_session=True,  # Ctrl-C is for who started it
        )

    def call(self, function: Callable[[A], T], argument: A, limit: float | None) -> T:
        """What `function` gives; raises `Hung` after `limit` seconds, and `Lost`."""
        expired = threading.Event()
        timer = threading.Timer(limit or 0, self._expire, [expired])
        if limit is not None:
            timer.start()
        try:
            answer: T = self._exchange(function, argument)
        except _BREAKS as error:
            # Its pipes close a moment before the process has ended and tells its status.
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_GRACE)
            self.close()
            if expired.is_set():
                raise Hung(f"took more than {limit:g} s, and was ended") from error
            raise Lost(_ended(self._process.returncode)) from error
        finally:
            timer.cancel()
            if limit is not None:
                timer.join()  # else it might yet end the process under the next call
        if expired.is_set():
            self.close()
        return answer

    @property
    def open(self) -> bool:
        """Whether it can run another call."""
        return self._process.poll() is None

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(OSError):
                pipe.close()
        self._folder.cleanup()

    def _exchange(self, function: Callable[[A], T], argument: A) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        pickle.dump((function, argument), self._process.stdin)
        self._process.stdin.flush()
        return pickle.load(self._process.stdout)

    def _expire(self, expired: threading.Event) -> None:
        expired.set()
        self._process.kill()


def _ended(code: int) -> str:
    """How a process came to its end, by its return code."""
    if code >= 0:
        return f"its process ended by itself, with status {code}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    why = ": the machine was short of memory, most likely" if name == "SIGKILL" else ""
    return f"its process was ended by {name}{why}"


class Lanes:
    """As many processes as there are threads that call; each is started when it is needed."""

    def __init__(self, first: Callable[[None], object]) -> None:
        """`first` is run once in each process, and takes the time that it takes."""
        self._first = first
        self._lock = threading.Lock()
        self._idle: list[Lane] = []
        self._all: set[Lane] = set()
        self._closed = False

    def run(self, function: Callable[[A], T], argument: A, limit: float | None) -> T:
        """What `function` gives in a process of its own; raises `Lost` and `RnndiagError`."""
        lane = self._taken() or self._started()
        try:
            return lane.call(function, argument, limit)
        finally:
            self._back(lane)

    def close(self) -> None:
        """End all processes, those that are busy too; who waits for one hears `Lost`."""
        with self._lock:
            self._closed = True
            lanes = [*self._all]
        for lane in lanes:
            lane.close()

    def _taken(self) -> Lane | None:
        with self._lock:
            if self._closed:
                raise Closed("was not run any more")
            # One that has ended in the meantime must not be the next call's fault.
            while self._idle:
                lane = self._idle.pop()
                if lane.open:
                    return lane
                self._forget(lane)
            return None

    def _started(self) -> Lane:
        with self._lock:
            if self._closed:
                raise Closed("was not run any more")
            lane = Lane()
            self._all.add(lane)
        try:
            lane.call(self._first, None, None)
        except Lost as error:
            if self._closed:
                raise
            told = f"a worker process could not be started: {error}"
            hint = "does `rnndiag advise` work, with one of the files?"
            raise RnndiagError(told, hint) from error
        return lane

    def _back(self, lane: Lane) -> None:
        with self._lock:
            if lane.open:
                self._idle.append(lane)
            else:
                self._forget(lane)

    def _forget(self, lane: Lane) -> None:
        lane.close()
        self._all.discard(lane)
