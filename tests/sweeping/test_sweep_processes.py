"""Processes that do not start, that fork, and that serve several sweeps at one Dask worker."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time
from functools import partial
from pathlib import Path

import planted
import pytest

from rnndiag.advising import Case
from rnndiag.errors import RnndiagError
from rnndiag.sweeping import _crews, _lane, _lanes, _tasks, local
from rnndiag.sweeping._lane import Lane
from rnndiag.sweeping._lanes import Lanes
from rnndiag.sweeping._tasks import Task

PATIENCE = 20.0


def task(name: str) -> Task:
    return Task(path=name, place=f"/runs/{name}.pt", case=Case(), digest="0")


# ---------------------------------------------------------------- that do not start


def _ended(_: object) -> None:
    raise SystemExit(4)


def _unlucky(starts: Path, dead: set[int], _: object) -> None:
    """The first, the second …: some end before they are ready."""
    with starts.open("a") as file:
        file.write("x")
    if starts.stat().st_size in dead:
        os._exit(9)


def _own_pid(_: object) -> int:
    return os.getpid()


def test_a_start_that_fails_is_tried_again(tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    lanes = Lanes(partial(_unlucky, starts, {1, 2, 4, 5}))
    first = lanes.run(_own_pid, None, PATIENCE)
    os.kill(first, signal.SIGKILL)
    (lane,) = lanes._calls
    while lane.open:
        time.sleep(0.01)
    # Four failed, but no three of them one after the other.
    assert lanes.run(_own_pid, None, PATIENCE) != first
    assert starts.read_text() == "x" * 6
    lanes.close()


def test_workers_that_cannot_be_started_are_no_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_tasks, "warm_up", _ended)
    with (
        pytest.raises(RnndiagError, match=r"3 .* could not be started: .* status 4") as caught,
        local(1, None, planted.by_name) as crew,
    ):
        list(crew.rows([task("ok-1")]))
    assert "--resume" in caught.value.hint
    assert "--jobs" in caught.value.hint


def test_where_nothing_can_be_opened_fewer_jobs_may_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> Lane:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(_lanes, "Lane", full)
    with pytest.raises(RnndiagError, match="Too many open files") as caught:
        Lanes(planted.nothing).run(_own_pid, None, PATIENCE)
    assert "--jobs" in caught.value.hint


# ---------------------------------------------------------------- that fork


def _forks(place: Path) -> None:
    """What it forks lives on, and tells nothing unless it lives for long."""
    if os.fork() == 0:
        with place.open("w") as file:
            time.sleep(PATIENCE)
            file.write("it lives")
        os._exit(0)


def _escapes(_: object) -> int:
    """A process of which Python knows nothing, and which no signal to the group reaches."""
    gone, tell_gone = os.pipe()
    pid: int = ctypes.PyDLL(None).fork()
    if pid == 0:
        os.setsid()
        os.write(tell_gone, b"x")
        time.sleep(PATIENCE)
        os._exit(0)
    # Until it has left the group, a signal to that would end it, too.
    os.read(gone, 1)
    return pid


@pytest.mark.parametrize("crash", [False, True])
def test_what_a_process_forks_ends_with_it(tmp_path: Path, crash: bool) -> None:
    os.mkfifo(tmp_path / "fifo")
    lane = Lane()
    lane.call(_forks, tmp_path / "fifo", PATIENCE)
    with (tmp_path / "fifo").open() as told:
        if crash:
            os.kill(lane._process.pid, signal.SIGKILL)
            lane._listener.join(PATIENCE / 2)
            assert not lane._listener.is_alive()
        else:
            lane.close()
        assert told.read() == ""
    lane.close()


def test_nobody_waits_for_a_process_that_keeps_the_pipes_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lane = Lane()
    escaped = lane.call(_escapes, None, PATIENCE)
    monkeypatch.setattr(_lane, "_GRACE", 0.1)
    lane.close()
    assert lane._process.returncode == -signal.SIGKILL
    assert lane._listener.is_alive()
    os.kill(escaped, signal.SIGKILL)
    lane._listener.join(PATIENCE / 2)
    lane.close()


def test_a_process_that_takes_long_to_end_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    lanes = Lanes(planted.nothing)
    close, ending, may_end = Lane.close, threading.Event(), threading.Event()

    def slow(lane: Lane) -> None:
        ending.set()
        assert may_end.wait(PATIENCE)
        close(lane)

    monkeypatch.setattr(Lane, "close", slow)
    crashing = threading.Thread(target=_crash, args=(lanes,))
    crashing.start()
    try:
        assert ending.wait(PATIENCE)
        assert lanes.run(_own_pid, None, PATIENCE)
        assert crashing.is_alive()
    finally:
        may_end.set()
        crashing.join()
        lanes.close()


def _crash(lanes: Lanes) -> None:
    with pytest.raises(_lane.Lost):
        lanes.run(_ended, None, PATIENCE)


# ---------------------------------------------------------------- at one Dask worker


def test_a_sweep_that_ends_leaves_the_others_processes_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_tasks, "warm_up", planted.nothing)
    measure = {own: partial(_crews._on_worker, own, planted.by_name, PATIENCE) for own in "ab"}
    pids = {own: measure[own](task("ok-1")).message for own in "ab"}
    assert pids["a"] != pids["b"]
    _crews._close_lanes("a")
    assert measure["b"](task("ok-2")).message == pids["b"]
    # A task that comes late starts no process that nobody would end.
    assert measure["a"](task("ok-3")).status == "crashed"
    _crews._close_lanes("b")
    for pid in pids.values():
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)
    _crews._made_lanes.cache_clear()
