"""One process and its calls: whose fault an end is, whose time it takes, and who waits for whom."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import planted
import pytest
from sweep_crews import alive

from rnndiag.sweeping import _lane
from rnndiag.sweeping._lane import Hung, Lane, Lost, NotBegun
from rnndiag.sweeping._lanes import Lanes


def _own_pid(_: None) -> int:
    return os.getpid()


def _sleeps(_: int) -> None:
    time.sleep(600)


def test_a_process_ends_with_whoever_started_it(tmp_path: Path) -> None:
    """As where that was killed: nobody can take the answer of what it hangs in."""
    lane, sign = Lane(), tmp_path / "sign"
    with ThreadPoolExecutor(1) as thread:
        calling = thread.submit(lane.call, _sleep, sign, 60.0)
        while not sign.exists():
            time.sleep(0.02)
        assert lane._process.stdin is not None
        lane._process.stdin.close()
        with pytest.raises(Lost, match="status 1"):
            calling.result()
    lane.close()
    assert not alive(lane._process.pid)


def _sleep(sign: Path) -> None:
    sign.touch()
    time.sleep(600)


@pytest.fixture
def lane() -> Iterator[Lane]:
    lane = Lane()
    assert lane.call(_own_pid, None, 20.0) == lane._process.pid
    yield lane
    lane.close()


def _two(lane: Lane, first: Callable[[], object], then: float) -> tuple[Future[object], ...]:
    """A call, and one behind it that takes no time and may take `then` seconds."""
    with ThreadPoolExecutor(2) as threads:
        one = threads.submit(first)
        while not lane._owed:
            time.sleep(0.001)
        two: Future[object] = threads.submit(lane.call, _own_pid, None, then)
    return one, two


def test_the_time_of_a_call_begins_when_the_one_before_it_is_done(lane: Lane) -> None:
    one, two = _two(lane, lambda: lane.call(time.sleep, 1.5, None), then=1.0)
    assert one.result() is None
    assert two.result() == lane._process.pid


@pytest.mark.parametrize(("what", "limit", "kind"), [(os._exit, 20.0, Lost), (_sleeps, 0.2, Hung)])
def test_what_ends_a_process_is_the_fault_of_the_call_under_way(
    lane: Lane, what: Callable[[int], object], limit: float, kind: type[Lost]
) -> None:
    one, two = _two(lane, lambda: lane.call(what, 5, limit), then=20.0)
    assert type(one.exception()) is kind
    assert type(two.exception()) is NotBegun
    assert not lane.open


def test_who_waited_behind_what_took_too_long_is_not_at_fault(lane: Lane) -> None:
    """Also where that was answered in the moment in which it was given up."""
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(lane.call, _sleeps, 0, None)
        while not lane._owed:
            time.sleep(0.001)
        lane._expired = True
        lane._process.kill()
        assert type(waiting.exception()) is NotBegun


def test_what_took_too_long_is_not_open_until_it_has_ended(lane: Lane) -> None:
    assert lane.open
    lane._expired = True
    assert not lane.open


def test_the_time_of_waiting_is_not_a_calls_own(
    lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]

    class Before(Future[None]):
        def exception(self, timeout: float | None = None) -> None:
            clock[0] = 100.0

    answer: Future[None] = Future()
    answer.set_exception(Lost("crashed"))
    monkeypatch.setattr(_lane, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(lane, "_asked", lambda call: (answer, Before()))
    with pytest.raises(Lost) as caught:
        lane.call(_own_pid, None, None)
    assert caught.value.seconds == 0.0


def test_a_call_waits_where_many_are_left_and_it_will_not_take_long() -> None:
    lanes = Lanes(planted.nothing, 1)
    lanes.run(_own_pid, None, 20.0)
    lane = lanes._taken()
    lane.brisk, lanes._asked = True, 3
    assert lanes._idle() is lanes._new() is None
    assert lanes._brisk() is lane
    lane.brisk = False
    assert lanes._brisk() is None
    lane.brisk, lanes._asked = True, 2
    assert lanes._brisk() is None
    lanes._asked = 3
    assert lanes._taken() is lane
    assert lanes._brisk() is None  # where one waits already
    lanes.close()


@pytest.mark.parametrize(("brief", "brisk"), [(0.0, False), (float("inf"), True)])
def test_a_long_call_is_not_brisk(
    lane: Lane, monkeypatch: pytest.MonkeyPatch, brief: float, brisk: bool
) -> None:
    monkeypatch.setattr(_lane, "_BRIEF", brief)
    lane.call(_own_pid, None, 20.0)
    assert lane.brisk == brisk
