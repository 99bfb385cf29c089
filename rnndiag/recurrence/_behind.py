"""A thread that works off one thing while the next one is made.

torch computes without Python's lock, so that two threads keep two cores busy.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")


class Behind:
    """Does things in the order in which they come, no more than one behind its giver.

    All are done where its ``with`` block ends.
    """

    def __init__(self, device: torch.device) -> None:
        """Beside a `device` that works by itself there is nothing for a thread to do."""
        self._thread: ThreadPoolExecutor | None = None
        self._under_way: Future[None] | None = None
        if device.type == "cpu" and _may_use_two_cores():
            self._thread = ThreadPoolExecutor(1, "behind", _set_up)

    def __enter__(self) -> Behind:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._thread is not None:
            self._thread.shutdown()
        if kind is None:
            self._finish()

    def do(self, function: Callable[[T], None], argument: T, *, brief: bool) -> None:
        """Begin with it once what came before is done; raises what that raised.

        What is `brief` takes less than to wake a thread for it, and is done at once.
        """
        self._finish()
        if self._thread is None or brief:
            function(argument)
        else:
            self._under_way = self._thread.submit(function, argument)

    def _finish(self) -> None:
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            under_way.result()


def _may_use_two_cores() -> bool:
    """Whether there are two, and nobody wants them for something else: processes of a sweep do."""
    allowed = getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))(0)
    return len(allowed) > 1 and os.environ.get("OMP_NUM_THREADS") != "1"


def _set_up() -> None:
    """What `execution` has set up in the thread that gives: both are each thread's own affair."""
    torch.set_flush_denormal(True)
    # Asked for, the number is set: until then libraries beside torch do not know it.
    torch.get_num_threads()
