"""Workers that crash, hang and are interrupted: one failed row each, and no process left."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import planted
import pytest
from sweep_crews import alive

from rnndiag.advising import Case
from rnndiag.records import Row
from rnndiag.sweeping import _tasks, local
from rnndiag.sweeping._lane import Closed, Lost
from rnndiag.sweeping._lanes import Lanes
from rnndiag.sweeping._tasks import Task


def tasks(*names: str) -> list[Task]:
    return [Task(path=name, place=f"/runs/{name}.pt", case=Case(), digest="0") for name in names]


@pytest.fixture(autouse=True)
def _cold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing planted needs torch."""
    monkeypatch.setattr(_tasks, "warm_up", planted.nothing)


def rows(names: Iterable[str], *, jobs: int = 2, limit: float | None = 20.0) -> dict[str, Row]:
    with local(jobs, limit, planted.by_name) as crew:
        found = list(crew.rows(tasks(*names)))
    assert len({row.path for row in found}) == len(found)
    return {row.path: row for row in found}


@pytest.mark.parametrize("jobs", [1, 3])
def test_every_task_has_one_row(jobs: int) -> None:
    names = [f"ok-{k}" for k in range(50)]
    found = rows(names, jobs=jobs)
    assert set(found) == set(names)
    # Processes are kept from one task to the next.
    assert 1 <= len({row.message for row in found.values()}) <= jobs


def test_none_at_all() -> None:
    assert rows([]) == {}


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("segfault", "SIGSEGV"),
        ("exit", "status 7"),
        ("system", "status 3"),
        ("raise", "status 1"),
    ],
)
def test_a_crash_is_its_own_row_and_nobody_elses(name: str, how: str) -> None:
    names = ["ok-1", f"{name}-1", "ok-2", "slow-1", f"{name}-2", *(f"ok-{k}" for k in range(3, 9))]
    found = rows(names)
    assert set(found) == set(names)
    failed = {path: row for path, row in found.items() if row.status != "ok"}
    assert set(failed) == {f"{name}-1", f"{name}-2"}
    for path, row in failed.items():
        assert (row.status, row.exit_code) == ("crashed", 2)
        assert how in row.message
        assert path in row.hint


def test_who_waits_behind_a_crash_is_not_lost_with_it() -> None:
    names = [f"{what}-{k}" for k in range(5) for what in ("ok", "exit", "ok", "ok")]
    found = rows(dict.fromkeys(f"{name}-{k}" for k, name in enumerate(names)), jobs=2)
    assert len(found) == len(names)
    for path, row in found.items():
        assert row.status == ("crashed" if path.startswith("exit") else "ok")


def test_a_hang_is_ended_and_the_others_go_on() -> None:
    names = ["hang-1", *(f"ok-{k}" for k in range(8))]
    found = rows(names, jobs=2, limit=0.5)
    assert set(found) == set(names)
    assert [path for path, row in found.items() if row.status != "ok"] == ["hang-1"]
    hung = found["hang-1"]
    assert (hung.status, hung.exit_code) == ("timeout", 2)
    assert "0.5 s" in hung.message
    assert "--limit" in hung.hint
    assert hung.seconds >= 0.5


def test_a_task_that_takes_its_time_is_no_hang() -> None:
    assert rows(["slow-1"], jobs=1, limit=None)["slow-1"].status == "ok"


def test_what_a_task_prints_goes_nowhere() -> None:
    found = rows(["print-1", "ok-1", "print-2"], jobs=1)
    assert {row.status for row in found.values()} == {"ok"}


def test_no_process_outlives_an_interruption() -> None:
    def interrupted(seen: list[int]) -> None:
        with local(2, None, planted.by_name) as crew:
            coming = crew.rows(tasks("ok-1", *(f"hang-{k}" for k in range(6))))
            seen.append(int(next(coming).message))
            raise KeyboardInterrupt

    pids: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted(pids)
    assert not any(map(alive, pids))
    assert not [own for own in threading.enumerate() if own.name.startswith("rnndiag-lane")]


def test_its_temporary_files_go_with_it() -> None:
    lanes = Lanes(planted.nothing)
    with pytest.raises(Lost):
        lanes.run(_leaves_a_file, None, 20.0)
    place = Path(lanes.run(_temporary, None, 20.0))
    assert place.is_dir()
    lanes.close()
    assert not place.exists()
    with pytest.raises(Closed):
        lanes.run(_temporary, None, 20.0)


def test_a_process_that_ended_in_between_is_nobodys_fault() -> None:
    lanes = Lanes(planted.nothing)
    first = lanes.run(_own_pid, None, 20.0)
    os.kill(first, signal.SIGKILL)
    (lane,) = lanes._calls
    while lane.open:
        time.sleep(0.01)
    assert lanes.run(_own_pid, None, 20.0) != first
    lanes.close()


def _own_pid(_: None) -> int:
    return os.getpid()


def _temporary(_: None) -> str:
    import tempfile

    return tempfile.gettempdir()


def _leaves_a_file(_: None) -> None:
    (Path(_temporary(None)) / "left").write_text("")
    os._exit(1)
