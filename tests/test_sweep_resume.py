"""Where the rows of ``rnndiag sweep`` are kept: who may write there, and what is resumed."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from advise_runs import ROOT, complains
from sweep_crews import at_hand, rows, some_runs, sweep

from rnndiag import sweeping
from rnndiag.errors import BadOption
from rnndiag.sweeping import _keeping


@pytest.fixture(autouse=True)
def _at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "local", at_hand)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return some_runs(tmp_path / "runs")


def test_a_line_that_was_half_written_is_measured_again(runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert sweep(runs / "[12].pt", "-o", out).exit_code == 0
    place = out / "sweep.jsonl"
    first, second = place.read_text().splitlines()
    place.write_text(f"{first}\n{second[:40]}")
    result = sweep(runs / "[12].pt", "-o", out, "--resume")
    assert "1 measured, 1 known from before" in result.stdout
    assert [row["path"] for row in rows(out)] == [str(runs / f"{k}.pt") for k in (1, 2)]
    assert place.read_text().startswith(f"{first}\n")
    assert len((out / "sweep.csv").read_text().splitlines()) == 3


@pytest.mark.parametrize("changed", [("--seed", 1), ("--lag", 3), ("--fail-on", "note")])
def test_other_options_are_measured_anew(
    runs: Path, tmp_path: Path, changed: tuple[object, ...]
) -> None:
    out = tmp_path / "out"
    sweep(runs / "1.pt", "-o", out)
    result = sweep(runs / "1.pt", "-o", out, "--resume", *changed)
    assert "known from before" not in result.stdout
    assert len(rows(out)) == 1
    assert (
        sweep(runs / "1.pt", "-o", out, "--resume", *changed).stdout.count("0 measured, 1 known")
        == 1
    )


def test_rows_of_other_files_and_versions_are_kept(runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    sweep(runs / "1.pt", "-o", out)
    older = {"path": str(runs / "2.pt"), "stamp": {"version": "0"}, "of": "another time"}
    other = {"path": "gone.pt", "something": 1}
    with (out / "sweep.jsonl").open("a") as file:
        file.write("".join(f"{json.dumps(row)}\n" for row in (older, other)))
    assert sweep(runs / "2.pt", "-o", out, "--resume").exit_code == 0
    assert [row["path"] for row in rows(out)] == [
        *(str(runs / "1.pt"), "gone.pt", str(runs / "2.pt"))
    ]
    assert rows(out)[1] == other
    assert rows(out)[2]["status"] == "ok"


def test_a_name_that_is_no_text(runs: Path, tmp_path: Path) -> None:
    """Linux takes any bytes; UTF-8 does not."""
    (runs / "1.pt").rename(os.fsdecode(os.fsencode(runs) + b"/\xff.pt"))
    out = tmp_path / "out"
    for more in ([], ["--resume"]):
        assert sweep(runs / "[!3].pt", "-o", out, *more).exit_code == 0
        assert len(rows(out)) == len((out / "sweep.csv").read_text().splitlines()) - 1 == 2


def test_a_file_that_is_no_sweep_is_left_alone(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "sweep.jsonl").write_text('{"path": "x"}\nsomething else\n')
    complains(sweep(runs / "1.pt", "-o", tmp_path, "--resume"), "line 2 is no row of a sweep")
    assert "something else" in (tmp_path / "sweep.jsonl").read_text()


def test_rows_that_cannot_be_written(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(place: Path) -> None:
        raise BadOption(f"{place}: cannot be written: Permission denied", "choose another place")

    monkeypatch.setattr(_keeping, "replacing", refused)
    complains(sweep(runs / "1.pt", "-o", tmp_path), "Permission denied", "-o DIR")
    (tmp_path / "taken").write_text("")
    complains(sweep(runs / "1.pt", "-o", tmp_path / "taken" / "out"), "taken")


def test_one_sweep_at_a_time_in_a_folder(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    # One that is refused has no crew: it would trouble a cluster's other sweeps.
    monkeypatch.setattr(sweeping, "local", lambda jobs, limit: _nobody())
    with _keeping.alone(out):
        complains(sweep(runs / "1.pt", "-o", out), f"{out}: another sweep", "-o DIR")
        complains(sweep(runs / "1.pt", "-o", out, "--resume"), f"{out}: another sweep")
    assert not out.exists()
    monkeypatch.setattr(sweeping, "local", at_hand)
    assert sweep(runs / "1.pt", "-o", out).exit_code == 0
    assert {path.name for path in out.iterdir()} == {"sweep.jsonl", "sweep.csv"}


@contextmanager
def _nobody() -> Iterator[sweeping.Crew]:
    raise AssertionError
    yield


def test_the_current_folder_is_called_so(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with _keeping.alone(Path()):
        complains(sweep(runs / "1.pt"), "the current folder: another sweep")


def test_where_there_is_no_crew_no_folder_is_left(tmp_path: Path) -> None:
    with _keeping.alone(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b").is_dir()
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_that_was_killed_keeps_nobody_out(runs: Path, tmp_path: Path) -> None:
    code = (
        "import os, pathlib\nfrom rnndiag.sweeping import _keeping\n"
        f"with _keeping.alone(pathlib.Path({str(tmp_path)!r})):\n    os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 9
    assert (tmp_path / ".sweep.lock").exists()
    assert sweep(runs / "1.pt", "-o", tmp_path, "--resume").exit_code == 0


def test_where_a_file_system_has_no_locks_sweeps_go_on(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object, **__: object) -> None:
        raise OSError(errno.ENOTSUP, "no locks")

    monkeypatch.setattr("filelock.FileLock.acquire", none)
    assert sweep(runs / "1.pt", "-o", tmp_path).exit_code == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_disk_that_is_full(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = _keeping._begin

    def full(place: Path, text: str) -> None:
        begin(place, text)
        if place.suffix == ".csv":
            place.unlink()
            place.symlink_to("/dev/full")

    with monkeypatch.context() as patched:
        patched.setattr(_keeping, "_begin", full)
        result = sweep(runs / "[12].pt", "-o", tmp_path)
    complains(result, f"{tmp_path}: the rows cannot be written there: No space left", "--resume")
    (tmp_path / "sweep.csv").unlink()
    assert "1 known from before" in sweep(runs / "[12].pt", "-o", tmp_path, "--resume").stdout
    assert len((tmp_path / "sweep.csv").read_text().splitlines()) == len(rows(tmp_path)) + 1 == 3
