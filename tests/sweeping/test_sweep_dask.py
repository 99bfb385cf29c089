"""A sweep on a real Dask cluster: scheduler and workers are processes, spoken to over loopback."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import planted
import pytest
from advise_runs import FAST, ROOT, complains, network, run

from rnndiag.advising import Case
from rnndiag.sweeping import dask, find, sweep

pytest.importorskip("distributed", reason="Dask is not installed: rnndiag[dask]")
COUNT = 200
PATIENCE = 60.0
"""Seconds after which something that did not happen is a failure."""


def until(happens: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not happens():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


@dataclass
class Cluster:
    """A scheduler and workers, ended together."""

    folder: Path
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, tool: str, *arguments: str) -> subprocess.Popen[bytes]:
        paths = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
        command = [sys.executable, "-m", f"distributed.cli.dask_{tool}", "--no-dashboard"]
        place = ["--host", "127.0.0.1", "--scheduler-file", str(self.folder / "scheduler.json")]
        started = subprocess.Popen(
            [*command, *place, *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": paths, "DASK_LOGGING__DISTRIBUTED": "error"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.running.append(started)
        return started

    def worker(self, *, nanny: bool) -> subprocess.Popen[bytes]:
        kept = ["--local-directory", str(self.folder), "--nthreads", "1"]
        return self.start("worker", *kept, *([] if nanny else ["--no-nanny"]))

    @property
    def address(self) -> str:
        place = self.folder / "scheduler.json"
        until(lambda: place.exists() and bool(place.read_text()))
        address: str = json.loads(place.read_text())["address"]
        return address

    def end(self) -> None:
        for process in reversed(self.running):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    made.start("scheduler", "--port", "0")
    try:
        yield made
    finally:
        made.end()


@pytest.fixture
def many(tmp_path: Path) -> Path:
    folder = tmp_path / "many"
    folder.mkdir()
    first = network(folder / "0.pt")
    for k in range(1, COUNT):
        shutil.copy(first, folder / f"{k}.pt")
    return folder


def test_a_worker_killed_half_way_costs_no_row(cluster: Cluster, many: Path) -> None:
    """One worker has a nanny, below which multiprocessing may start nothing, and the other none."""
    cluster.worker(nanny=True)
    doomed = cluster.worker(nanny=False)
    rows = many.parent / "rows"
    command = [sys.executable, "-m", "rnndiag", "sweep", str(many), "--dask", cluster.address]
    sweeping = subprocess.Popen(
        [*command, "-o", str(rows), *FAST, "-q"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = rows / "sweep.jsonl"
    until(lambda: lines.exists() and lines.read_text().count("\n") > COUNT // 4)
    before = lines.read_text().count("\n")
    os.killpg(doomed.pid, signal.SIGKILL)
    told, wrong = sweeping.communicate(timeout=PATIENCE)
    assert before < COUNT
    assert sweeping.returncode == 0, (told, wrong)
    found = [json.loads(line) for line in lines.read_text().splitlines()]
    assert Counter(row["path"] for row in found) == {str(many / f"{k}.pt"): 1 for k in range(COUNT)}
    assert {row["status"] for row in found} == {"ok"}
    assert len((rows / "sweep.csv").read_text().splitlines()) == COUNT + 1


def test_crashes_and_hangs_there_are_rows_as_here(cluster: Cluster, tmp_path: Path) -> None:
    names = ["segfault-1", "hang-1", *(f"ok-{k}" for k in range(20))]
    for name in names:
        (tmp_path / f"{name}.pt").touch()
    case = Case()
    crew = dask(cluster.address, 1.0, planted.by_name)
    rows = sweep(find([str(tmp_path)]), lambda _: case, crew).rows
    status = {Path(row.path).stem: row.status for row in rows}
    assert status.pop("hang-1") == "timeout"
    assert status.pop("segfault-1") == "crashed"
    assert status == {f"ok-{k}": "ok" for k in range(20)}


def test_a_cluster_without_a_worker_is_told(tmp_path: Path) -> None:
    alone = Cluster(tmp_path)
    alone.start("scheduler", "--port", "0")
    told: list[tuple[str, str]] = []
    try:
        with dask(alone.address, tell=lambda what, hint: told.append((what, hint))):
            pass
    finally:
        alone.end()
    ((what, hint),) = told
    assert "the scheduler has no worker" in what
    assert f"dask worker {alone.address}" in hint


def test_no_scheduler_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rnndiag.sweeping._crews._ANSWER", "0.5s")
    result = run("sweep", network(tmp_path / "1.pt"), "--dask", "127.0.0.1:1", "-o", tmp_path / "o")
    complains(result, "--dask 127.0.0.1:1: no scheduler answers", "dask scheduler")
    assert not (tmp_path / "o").exists()
