"""A process in which a call may crash or hang, and nothing but its own answer is lost."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TooLong  # the builtin one from Python 3.11 on
from contextlib import suppress
from time import perf_counter
from typing import Any, TypeVar

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
_BRIEF = 1.0
"""Seconds of a call behind which the next one may wait."""


class Lost(Exception):
    """A call's process ended before it answered; the message says how."""

    def __init__(self, message: str, seconds: float = 0.0) -> None:
        """`seconds` is how long the call had been under way."""
        super().__init__(message)
        self.seconds = seconds


class Hung(Lost):
    """It was ended, because it had taken too long."""


class NotBegun(Lost):
    """Its process ended under a call before it, and nothing is known of this one."""


class Closed(Lost):
    """Nothing is run any more."""


class Lane:
    """One process, which runs one call after another; the next one may wait there already."""

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
        self.fresh = True
        """Whether nothing was run in it yet."""
        self.brisk = False
        """Whether the last call was a short one."""
        self._lock = threading.Lock()
        self._owed: deque[Future[Any]] = deque()
        self._expired = self._ended = False
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def call(self, function: Callable[[A], T], argument: A, limit: float | None) -> T:
        """What `function` gives; raises `Hung` where it takes over `limit` seconds, and `Lost`.

        From several threads: the calls are run in the order in which they come.
        """
        answer, before = self._asked(pickle.dumps((function, argument)))
        if before is not None:
            before.exception()  # only now does this one's own time begin
        started = perf_counter()
        try:
            given: T = answer.result(limit)
        except TooLong as error:
            self._expired = True
            self._kill()
            told = f"took more than {limit:g} s, and was ended"
            raise Hung(told, perf_counter() - started) from error
        except Lost as error:
            error.seconds = perf_counter() - started
            raise
        self.fresh, self.brisk = False, perf_counter() - started < _BRIEF
        return given

    @property
    def open(self) -> bool:
        """Whether it can run another call."""
        return not self._expired and self._process.poll() is None

    def close(self) -> None:
        """End the process, whatever it is doing, and what it has started."""
        self._kill()
        self._process.wait()
        # A process in a session of its own may hold the pipes open: the listener is left to it.
        self._listener.join(_GRACE)
        if not self._listener.is_alive():
            for pipe in (self._process.stdin, self._process.stdout):
                assert pipe is not None
                with suppress(OSError):
                    pipe.close()
        self._folder.cleanup()

    def _kill(self) -> None:
        if self._process.returncode is None:  # else its number may be another's by now
            self._kill_group()
            self._process.kill()

    def _kill_group(self) -> None:
        if hasattr(os, "killpg"):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _asked(self, call: bytes) -> tuple[Future[Any], Future[Any] | None]:
        """The answer to come, and the one before it that the process still owes."""
        assert self._process.stdin is not None
        answer: Future[Any] = Future()
        with self._lock:
            if self._ended:
                raise NotBegun("its process had ended")
            before = self._owed[-1] if self._owed else None
            self._owed.append(answer)
            with suppress(OSError):  # the listener hears of the end, too
                self._process.stdin.write(call)
                self._process.stdin.flush()
        return answer, before

    def _listen(self) -> None:
        """Hand each answer to who waits for it; at the end tell whose fault that was."""
        assert self._process.stdout is not None
        # Whatever breaks off here, nobody must wait for an answer that cannot come any more.
        with suppress(Exception):
            while True:
                given = pickle.load(self._process.stdout)
                with self._lock:
                    answer = self._owed.popleft()
                answer.set_result(given)
        # Its pipes close a moment before the process has ended and tells its status.
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE)
            self._kill_group()  # what it has started would go on
        self._kill()
        what = _manner(self._process.wait())
        with self._lock:
            self._ended = True
        for answer in self._owed:
            is_at_fault = answer is self._owed[0] and not self._expired
            answer.set_exception(Lost(what) if is_at_fault else NotBegun(what))


def _manner(code: int) -> str:
    """How a process came to its end, by its return code."""
    if code >= 0:
        return f"its process ended by itself, with status {code}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    why = ": the machine was short of memory, most likely" if name == "SIGKILL" else ""
    return f"its process was ended by {name}{why}"
