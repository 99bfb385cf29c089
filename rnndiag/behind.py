"""A thread that works off one thing while the next one is made.

torch computes without Python's lock, so that two threads keep two cores busy. One that has to share
its core costs no time: it has nobody to wait for.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")


class Behind:
    """Does things in the order in which they come, no more than one behind its giver."""

    def __init__(self, device: torch.device) -> None:
        """Beside a `device` that works by itself there is nothing for a thread to do."""
        self._thread: ThreadPoolExecutor | None = None
        self._under_way: Future[None] | None = None
        if device.type == "cpu":
            # Denormal numbers are each thread's own affair (`execution`).
            self._thread = ThreadPoolExecutor(1, "behind", torch.set_flush_denormal, (True,))

    def do(self, function: Callable[[T], None], argument: T, *, brief: bool) -> None:
        """Begin with it once what came before is done; raises what that raised.

        What is `brief` takes less than to wake a thread for it, and is done at once.
        """
        self.finish()
        if self._thread is None or brief:
            function(argument)
        else:
            self._under_way = self._thread.submit(function, argument)

    def finish(self) -> None:
        """Wait for what is under way; raises what it raises."""
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            under_way.result()
