"""Processes for calls that may crash or hang.

`concurrent.futures.ProcessPoolExecutor` gives all calls up once one of its processes dies, and
cannot end one that hangs. Here each process has calls of its own, one after the other, so that
it is known whose fault it was; processes of multiprocessing would not start in a Dask worker.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from rnndiag.errors import RnndiagError
from rnndiag.sweeping._lane import Closed, Lane, Lost, NotBegun

A = TypeVar("A")
T = TypeVar("T")

_STARTS = 3
"""Processes in a row that could not be started, before that is told."""
_LATER = "the rows are kept: try --resume with fewer --jobs"


class Lanes:
    """Processes for calls from any number of threads; each is started when it is needed."""

    def __init__(self, first: Callable[[None], object], most: int | None = None) -> None:
        """`first` is run once in each process, and takes the time that it takes.

        There are as many processes as calls at a time, or `most`: then one more call may wait at
        each, so that the process need not wait for it. When few are left none does: it could wait
        behind a long one while another process has nothing to do.
        """
        self._first = first
        self._most = most
        self._changed = threading.Condition()
        self._calls: dict[Lane, int] = {}
        self._asked = 0  # calls, those that wait for a process too
        self._not_started = 0  # processes, in a row
        self._closed = False

    def run(self, function: Callable[[A], T], argument: A, limit: float | None) -> T:
        """What `function` gives in a process of its own; raises `Lost` and `RnndiagError`."""
        with self._counted():
            while True:
                with self._lent() as lane, suppress(NotBegun):
                    # One that has ended while it was idle must not be this call's fault.
                    if lane.open:
                        if lane.fresh:
                            self._warm_up(lane)
                        return lane.call(function, argument, limit)

    def close(self) -> None:
        """End all processes, those that are busy too; who waits for one hears `Lost`."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            lanes = [*self._calls]
        for lane in lanes:
            lane.close()

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._changed:
            self._asked += 1
        try:
            yield
        finally:
            with self._changed:
                self._asked -= 1

    @contextmanager
    def _lent(self) -> Iterator[Lane]:
        lane = self._taken()
        try:
            yield lane
        finally:
            with self._changed:
                self._calls[lane] -= 1
                is_over = not lane.open and self._calls[lane] == 0
                if is_over:
                    del self._calls[lane]
                self._changed.notify_all()
            if is_over:
                lane.close()  # which may take seconds, and nobody need wait for it

    def _taken(self) -> Lane:
        with self._changed:
            while not self._closed:
                lane = self._idle() or self._new() or self._brisk()
                if lane is not None:
                    self._calls[lane] += 1
                    return lane
                self._changed.wait()
        raise Closed("was not run any more")

    def _idle(self) -> Lane | None:
        return next((lane for lane, calls in self._calls.items() if calls == 0), None)

    def _new(self) -> Lane | None:
        if self._most is not None and len(self._calls) >= self._most:
            return None
        try:
            lane = Lane()
        except OSError as error:  # of files, processes or room for their folders
            told = f"a worker process could not be started: {error.strerror}"
            raise RnndiagError(told, _LATER) from error
        self._calls[lane] = 0
        return lane

    def _brisk(self) -> Lane | None:
        """One where a call will not wait for long, as far as the last one there tells."""
        if self._most is None or self._asked <= 2 * self._most:
            return None
        singles = (own for own, calls in self._calls.items() if calls == 1)
        return next((own for own in singles if own.brisk and own.open), None)

    def _warm_up(self, lane: Lane) -> None:
        """Raises `NotBegun` where the process ended meanwhile, which may be an accident."""
        try:
            lane.call(self._first, None, None)
        except Lost as error:
            with self._changed:
                self._not_started += 1
            if self._closed or self._not_started < _STARTS:
                raise NotBegun(str(error)) from error
            told = f"{_STARTS} worker processes in a row could not be started: {error}"
            hint = f"does `rnndiag advise` work, with one of the files? {_LATER}"
            raise RnndiagError(told, hint) from error
        with self._changed:
            self._not_started = 0
