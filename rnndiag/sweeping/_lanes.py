"""Processes for calls that may crash or hang.

`concurrent.futures.ProcessPoolExecutor` gives all calls up once one of its processes dies, and
cannot end one that hangs. Here each process has calls of its own, one after the other, so that
it is known whose fault it was; processes of multiprocessing would not start in a Dask worker.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from rnndiag.errors import RnndiagError
from rnndiag.sweeping._lane import Closed, Lane, Lost, NotBegun

A = TypeVar("A")
T = TypeVar("T")


class Lanes:
    """Processes for calls from any number of threads; each is started when it is needed."""

    def __init__(self, first: Callable[[None], object], most: int | None = None) -> None:
        """`first` is run once in each process, and takes the time that it takes.

        There are as many processes as calls at a time, or `most`: then one more call may wait at
        each, so that the process need not wait for it.
        """
        self._first = first
        self._most = most
        self._changed = threading.Condition()
        self._calls: dict[Lane, int] = {}
        self._closed = False

    def run(self, function: Callable[[A], T], argument: A, limit: float | None) -> T:
        """What `function` gives in a process of its own; raises `Lost` and `RnndiagError`."""
        while True:
            lane = self._taken()
            try:
                if lane.fresh:
                    self._warm_up(lane)
                return lane.call(function, argument, limit)
            except NotBegun:
                continue
            finally:
                self._back(lane)

    def close(self) -> None:
        """End all processes, those that are busy too; who waits for one hears `Lost`."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            lanes = [*self._calls]
        for lane in lanes:
            lane.close()

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
        for lane in [own for own, calls in self._calls.items() if calls == 0]:
            # One that has ended in the meantime must not be the next call's fault.
            if lane.open:
                return lane
            self._forget(lane)
        return None

    def _new(self) -> Lane | None:
        if self._most is not None and len(self._calls) >= self._most:
            return None
        lane = Lane()
        self._calls[lane] = 0
        return lane

    def _brisk(self) -> Lane | None:
        """One where a call will not wait for long, while another has nothing to do."""
        found = (own for own, calls in self._calls.items() if calls == 1 and own.brisk)
        return next(found, None)

    def _warm_up(self, lane: Lane) -> None:
        try:
            lane.call(self._first, None, None)
        except Lost as error:
            if self._closed:
                raise
            told = f"a worker process could not be started: {error}"
            hint = "does `rnndiag advise` work, with one of the files?"
            raise RnndiagError(told, hint) from error

    def _back(self, lane: Lane) -> None:
        with self._changed:
            if lane in self._calls:
                self._calls[lane] -= 1
            if not lane.open:
                self._forget(lane)
            self._changed.notify_all()

    def _forget(self, lane: Lane) -> None:
        lane.close()
        self._calls.pop(lane, None)
