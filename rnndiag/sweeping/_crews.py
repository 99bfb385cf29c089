"""Who does the work: processes of this machine, or a Dask cluster; both are executors.

On either each checkpoint is measured in a process that nothing else depends on (`_lanes`).
"""

from __future__ import annotations

import logging
import os
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice
from queue import SimpleQueue
from typing import TYPE_CHECKING

from rnndiag import __version__
from rnndiag.errors import BadOption, RnndiagError
from rnndiag.records import Row, RowStatus, Stamp
from rnndiag.sweeping import _rows, _tasks
from rnndiag.sweeping._lane import Hung, Lost
from rnndiag.sweeping._lanes import Lanes
from rnndiag.sweeping._tasks import Measure, Task

if TYPE_CHECKING:
    from distributed import Client

_AHEAD = 4
"""Tasks under way for each process: one is measured, one waits there, and two here."""
_AHEAD_OF_A_CLUSTER = 256
_ANSWER = "10s"
"""How long a scheduler may take to answer."""
_LATER = "--resume goes on behind the rows that are there"

Tell = Callable[[str, str], None]
"""Is told what somebody who waits should know, and what to do about it."""


@dataclass(frozen=True, kw_only=True)
class Crew:
    """An executor for tasks, of which some may be under way at the same time."""

    submit: Callable[[Task], Future[Row]]
    most: int
    """Tasks that are handed over at a time."""

    def rows(self, tasks: Iterable[Task]) -> Iterator[Row]:
        """The row of every task, in the order in which they are done.

        Raises `RnndiagError` where the crew itself does not work.
        """
        # A queue, since `concurrent.futures.wait` looks at every future for each that is done.
        done: SimpleQueue[Future[Row]] = SimpleQueue()
        under_way: dict[Future[Row], Task] = {}
        left = iter(tasks)
        while True:
            for task in islice(left, self.most - len(under_way)):
                future = self.submit(task)
                under_way[future] = task
                future.add_done_callback(done.put)
            if not under_way:
                return
            future = done.get()
            yield _row(under_way.pop(future), future)


def _row(task: Task, future: Future[Row]) -> Row:
    try:
        return future.result()
    except RnndiagError:
        raise
    except Exception as error:
        # Dask gives a task up once several workers in a row died that had it.
        if type(error).__name__ == "KilledWorker":
            return _lost(task, "crashed", "the workers that had it died, one after the other", 0.0)
        told = f"the workers do not work: {type(error).__name__}: {error}"
        hint = f"they need this version of rnndiag; {_LATER}"
        if isinstance(error, CancelledError):
            told, hint = "the scheduler was lost", _LATER
        raise RnndiagError(told, hint) from error


def isolated(lanes: Lanes, measure: Measure, limit: float | None, task: Task) -> Row:
    """The row of one task, measured in a process of its own; of one that is lost, too."""
    try:
        return lanes.run(measure, task, limit)
    except Lost as error:
        status: RowStatus = "timeout" if isinstance(error, Hung) else "crashed"
        return _lost(task, status, str(error), error.seconds)


def _lost(task: Task, status: RowStatus, what: str, seconds: float) -> Row:
    stamp = Stamp(version=__version__, options=task.digest)
    hint = {"timeout": "allow more: --limit SECONDS"}.get(
        status, f"look at it alone: rnndiag advise {task.path}"
    )
    return _rows.of_failure(task.path, stamp, status, (what, hint), seconds)


# ---------------------------------------------------------------- this machine


@contextmanager
def local(
    jobs: int, limit: float | None = None, measure: Measure = _tasks.measure
) -> Iterator[Crew]:
    """`jobs` processes of this machine. None is left behind, however the block ends.

    A checkpoint that takes more than `limit` seconds is ended with its process.
    """
    lanes = Lanes(_tasks.warm_up, jobs)
    # One for each task under way, so that `lanes` knows how many are left.
    threads = ThreadPoolExecutor(_AHEAD * jobs, thread_name_prefix="rnndiag-lane")
    run = partial(isolated, lanes, measure, limit)
    try:
        yield Crew(submit=partial(threads.submit, run), most=_AHEAD * jobs)
    finally:
        # In this order: what waits must not start a process again that is ended here.
        threads.shutdown(wait=False, cancel_futures=True)
        lanes.close()
        threads.shutdown()


def cores() -> int:
    """How many of the machine's cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


# ---------------------------------------------------------------- a Dask cluster


@contextmanager
def dask(
    address: str,
    limit: float | None = None,
    measure: Measure = _tasks.measure,
    tell: Tell = lambda what, hint: None,
) -> Iterator[Crew]:
    """The workers of the Dask scheduler at `address`, as many files each as it has threads.

    A worker that is lost costs nothing but time: the scheduler has its tasks done again.
    Raises `BadOption` where no scheduler answers, or Dask is not installed.
    """
    client = _client(address)
    if not client.ncores():
        # No error: some clusters start their workers when there is work.
        told = f"--dask {address}: the scheduler has no worker; waiting for one"
        tell(told, f"`dask worker {address}` starts one, where rnndiag is installed")
    executor = client.get_executor(pure=False)
    token = uuid.uuid4().hex
    run = partial(_on_worker, token, measure, limit)
    try:
        yield Crew(submit=partial(executor.submit, run), most=_AHEAD_OF_A_CLUSTER)
    finally:
        executor.shutdown(wait=False)
        with suppress(Exception):  # a cluster that has gone has no processes either
            client.run(_close_lanes, token)
        client.close()


def _client(address: str) -> Client:
    try:
        from distributed import Client
    except ImportError as error:
        told = "--dask: Dask's scheduler is not installed"
        raise BadOption(told, "pip install 'rnndiag[dask]'") from error
    # What goes wrong is one error of ours; Dask would log its own tracebacks beside it.
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
    try:
        return Client(address, timeout=_ANSWER)
    except (OSError, ValueError, TimeoutError) as error:
        what = str(error).partition("\n")[0] or type(error).__name__
        hint = "is it running? `dask scheduler` prints its address, such as tcp://host:8786"
        raise BadOption(f"--dask {address}: no scheduler answers: {what}", hint) from error


_LOCK = threading.Lock()


@cache
def _made_lanes(token: str) -> Lanes:
    return Lanes(_tasks.warm_up)


def _own_lanes(token: str) -> Lanes:
    """A sweep's processes at a Dask worker, as many as that has threads."""
    with _LOCK:  # `cache` may make two at a time
        return _made_lanes(token)


def _on_worker(token: str, measure: Measure, limit: float | None, task: Task) -> Row:
    return isolated(_own_lanes(token), measure, limit, task)


def _close_lanes(token: str) -> None:
    """End one sweep's processes; others may be at work at the same worker.

    They stay known, closed and empty: a task that comes late must not start new ones.
    """
    _own_lanes(token).close()
