"""``rnndiag sweep`` as it is called: rows, resuming, statuses, and what is wrong."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from advise_runs import FAST, ROOT, SAMPLES, broken, complains, judged, network, process, run
from sweep_crews import at_hand, rows, some_runs, sweep

from rnndiag import sweeping


@pytest.fixture(autouse=True)
def _at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "local", at_hand)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return some_runs(tmp_path / "runs")


def test_a_sweep_and_its_resumption(runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = sweep(runs, "-o", out)
    assert first.exit_code == 2
    assert [row["path"] for row in rows(out)] == [str(runs / f"{k}.pt") for k in (1, 2, 3)]
    assert [row["status"] for row in rows(out)] == ["ok", "ok", "failed"]
    table = list(csv.DictReader((out / "sweep.csv").open()))
    assert [row["exit_code"] for row in table] == ["0", "0", "2"]

    again = sweep(runs, "-o", out)
    complains(again, "sweep.jsonl: is there already", "--resume")

    # The failed one is tried again, the changed one too, the touched one is not.
    before = rows(out)
    os.utime(runs / "1.pt")
    network(runs / "2.pt", weight_hh_l0=3)
    network(runs / "3.pt")
    resumed = sweep(runs, "-o", out, "--resume")
    assert resumed.exit_code == 0, resumed.output
    assert "3 checkpoints" in resumed.stdout
    assert "2 measured, 1 known from before" in resumed.stdout
    after = {row["path"]: row for row in rows(out)}
    assert len(after) == len(rows(out)) == len((out / "sweep.csv").read_text().splitlines()) - 1
    assert after[before[0]["path"]] == before[0]
    assert after[before[1]["path"]]["sha256"] != before[1]["sha256"]
    assert {row["status"] for row in after.values()} == {"ok"}


def test_a_row_is_what_advise_says(tmp_path: Path) -> None:
    path = broken(tmp_path / "nan.pt")
    report = judged(path, *FAST)
    assert sweep(path, "-o", tmp_path).exit_code == report["exit_code"] == 1
    (row,) = rows(tmp_path)
    assert set(row["findings"]) == {own["rule"] for own in report["findings"]}
    assert row["severity"] == "error"
    assert row["sha256"] == report["checkpoint"]["sha256"]
    assert row["parameters"] == report["checkpoint"]["parameters"]


def test_a_sample_with_its_probe(tmp_path: Path) -> None:
    probe = SAMPLES / "adding_gru.probe.npz"
    report = judged(SAMPLES / "adding_gru.h5", "--probe", probe)
    result = run("sweep", SAMPLES / "adding_gru.h5", "--probe", probe, "-o", tmp_path)
    assert result.exit_code == report["exit_code"]
    (row,) = rows(tmp_path)
    spans = [own["measurements"]["gradient_span"]["span"] for own in report["layers"]]
    assert row["span"] == min(spans)
    assert row["layers"] == len(spans)


def test_a_checkpoint_without_recurrence(tmp_path: Path) -> None:
    import torch

    torch.save(torch.nn.Linear(3, 2).state_dict(), tmp_path / "mlp.pt")
    result = sweep(tmp_path / "mlp.pt", "-o", tmp_path)
    assert result.exit_code == 3
    (row,) = rows(tmp_path)
    assert (row["status"], row["layers"], row["exit_code"]) == ("ok", 0, 3)
    assert row["message"]
    assert row["message"] in " ".join(result.stdout.split())


def test_the_configuration_counts_for_all_and_for_one(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(runs)
    own = '[[checkpoint]]\npath = "2.pt"\ntimesteps = 9\n'
    (runs / "rnndiag.toml").write_text(f"timesteps = 7\n{own}")
    result = run("sweep", "[12].pt", "-q", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert [row["timesteps"] for row in rows(tmp_path / "out")] == [7, 9]


@pytest.mark.parametrize("command", ["sweep", "track"])
def test_a_format_that_is_for_other_commands_does_not_count(
    runs: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(runs)
    (runs / "rnndiag.toml").write_text('format = "github"\n')
    result = run(command, "1.pt", "2.pt", *FAST, "-q")
    assert result.exit_code == 0, result.output
    assert "::" not in result.stdout
    (runs / "rnndiag.toml").write_text('format = "json"\n')
    result = run(command, "1.pt", "2.pt", *FAST, "-q", *(["--resume"] * (command == "sweep")))
    assert json.loads(result.stdout)["exit_code"] == 0


def test_a_baseline_counts(tmp_path: Path) -> None:
    path, known = broken(tmp_path / "nan.pt"), tmp_path / "known.json"
    run("advise", path, *FAST, "--write-baseline", known)
    assert sweep(path, "-o", tmp_path, "--baseline", known).exit_code == 0
    (row,) = rows(tmp_path)
    assert row["known"] >= 1
    assert row["findings"] == {}


def test_the_output_is_a_file_and_no_input(runs: Path, tmp_path: Path) -> None:
    out, text = tmp_path / "out", tmp_path / "out.md"
    result = sweep(runs / "1.pt", "-o", out, "--format", "markdown", "--output", text)
    assert result.exit_code == 0
    assert not result.stdout
    assert text.read_text().startswith("## rnndiag: ")
    own = out / "sweep.jsonl", out / "sweep.csv"
    before = [place.read_text() for place in own]
    (runs / "all.txt").write_text(str(runs / "1.pt"))
    for taken in (runs / "1.pt", runs / "all.txt", *own):
        result = sweep(runs / "all.txt", "-o", out, "--resume", "--output", taken)
        complains(result, "overwritten")
    assert [place.read_text() for place in own] == before


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["gone/*.pt"], "no files there"),
        (["@gone.lst"], "gone.lst: the list cannot be read: No such file"),
        (["--probe", "gone.npz"], "--probe gone.npz: cannot be read: No such file"),
        (["--baseline", "gone.json"], "gone.json"),
        (["--select", "RNN999"], "RNN999"),
        (["--dask", "x:1", "-j", "2"], "--jobs beside --dask"),
        (["--limit", "nan"], "--limit nan: no number of seconds"),
    ],
)
def test_what_is_wrong_with_all_is_told_at_once(
    runs: Path, tmp_path: Path, arguments: list[str], told: str
) -> None:
    result = run("sweep", runs / "1.pt", *arguments, "-o", tmp_path / "out", "-q")
    complains(result, told)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("said", "limit"), [("inf", None), ("1e10", None), ("0.5", 0.5), ("1e9", 1e9)]
)
def test_a_limit_that_nobody_can_wait_for_is_none(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, limit: float | None
) -> None:
    seen: list[float | None] = []

    def noted(jobs: int, limit: float | None) -> AbstractContextManager[sweeping.Crew]:
        seen.append(limit)
        return at_hand(jobs, 0.0)

    monkeypatch.setattr(sweeping, "local", noted)
    assert sweep(runs / "1.pt", "-o", tmp_path, "--limit", said).exit_code == 0
    assert seen == [limit]


def test_an_archive_is_called_as_the_user_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sweep("gone.zip::a.pt", "-o", tmp_path)
    (row,) = rows(tmp_path)
    assert row["message"] == "gone.zip: no such archive"


def test_processes_of_its_own(runs: Path, tmp_path: Path) -> None:
    """As it is meant to be run: from anywhere, two processes, nothing but the table on stdout."""
    place = {"cwd": runs, "COLUMNS": "80"}
    done = process("sweep", "*.pt", "-j", 2, "-o", tmp_path / "out", *FAST, **place)
    assert done.returncode == 2, done.stderr
    assert done.stderr == ""
    assert done.stdout.startswith("3 checkpoints in ")
    assert {row["path"]: row["status"] for row in rows(tmp_path / "out")} == {
        "1.pt": "ok",
        "2.pt": "ok",
        "3.pt": "failed",
    }


SLOWLY = """
import signal
from functools import partial
import planted
from rnndiag import sweeping
from rnndiag.cli import main
from rnndiag.sweeping import _tasks

# Shells start what runs in the background without it.
signal.signal(signal.SIGINT, signal.default_int_handler)
_tasks.warm_up = planted.nothing
sweeping.local = partial(sweeping.local, measure=planted.by_name)
main()
"""


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_what_was_measured_outlives_an_interruption(tmp_path: Path, end: signal.Signals) -> None:
    for k in range(400):
        (tmp_path / f"slow-{k}.pt").touch()
    command = [sys.executable, "-c", SLOWLY, "sweep", str(tmp_path), "-o", str(tmp_path), "-j", "2"]
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "sweeping")])
    started = subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": paths}, stderr=subprocess.PIPE
    )
    place = tmp_path / "sweep.jsonl"
    while not (place.exists() and place.read_text().count("\n") > 3):
        assert started.poll() is None, started.communicate()
        time.sleep(0.02)
    started.send_signal(end)
    _, told = started.communicate(timeout=60)
    assert started.returncode in (130, 128 + end)
    assert b"Traceback" not in told
    assert (b"--resume" in told) == (end == signal.SIGINT)
    kept = rows(tmp_path)
    assert 3 < len(kept) < 400
    for row in kept:
        with pytest.raises(ProcessLookupError):
            os.kill(int(row["message"]), 0)
