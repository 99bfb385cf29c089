"""``rnndiag track`` as it is called: on the sample run, and with what is wrong."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest
from advise_runs import FAST, SAMPLES, complains, network, process, run
from click.testing import Result

RUN = SAMPLES / "bias_outgrows"


def track(*arguments: object) -> Result:
    return run("track", *arguments, "-q")


@pytest.fixture
def three(tmp_path: Path) -> Path:
    """A folder of three checkpoints of the same network."""
    folder = tmp_path / "run"
    folder.mkdir()
    for k in (1, 2, 3):
        network(folder / f"{k}.pt", weight_hh_l0=k)
    return folder


def test_the_sample_raises_the_rule_with_its_epoch() -> None:
    result = track(RUN, "--norms-only", "--fail-on", "warning")
    assert result.exit_code == 1
    assert "RNN304 bias-outgrows-kernels, rnn →, from epoch 5 on (epoch-5.pt)" in " ".join(
        result.stdout.split()
    )
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_every_format_and_what_is_done_without_notes() -> None:
    made = {
        name: track(RUN, "--norms-only", "--format", name)
        for name in ("json", "csv", "markdown", "table")
    }
    assert {result.exit_code for result in made.values()} == {0}
    assert json.loads(made["json"].stdout)["axis"] == "epoch"
    rows = list(csv.DictReader(io.StringIO(made["csv"].stdout)))
    assert [row["epoch"] for row in rows] == [str(k) for k in range(1, 13)]
    assert made["markdown"].stdout.startswith("## rnndiag: 1 warning")


def test_the_exit_status_is_that_of_the_last(three: Path) -> None:
    """An error in the middle of the run is no error of its end."""
    network(three / "2.pt", weight_hh_l0=float("nan"))
    assert track(three, *FAST).exit_code == 0
    network(three / "3.pt", weight_hh_l0=float("nan"))
    assert track(three, *FAST).exit_code == 1
    assert track(three, *FAST, "--fail-on", "never").exit_code == 0


def test_a_folder_with_a_page(three: Path, tmp_path: Path) -> None:
    (three / "4.pt").write_bytes(b"broken")
    result = run("track", three, *FAST, "-o", tmp_path / "page")
    assert result.exit_code == 0
    assert "index.html is written" in result.stderr
    files = {file.name for file in (tmp_path / "page").iterdir()}
    assert {"index.html", "report.md", "report.json", "findings.png"} <= files
    assert {"lstm-forward-norms.png", "lstm-forward-spans.png"} <= files
    page = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    assert "could not be drawn" not in page
    assert "left out: " in page
    assert json.loads((tmp_path / "page" / "report.json").read_text())["gaps"]


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_no_page_takes_the_place_of_the_run(three: Path, force: tuple[str, ...]) -> None:
    result = track(three, *FAST, "-o", three, *force)
    complains(result, "1.pt, which would be deleted")
    assert sorted(file.name for file in three.iterdir()) == ["1.pt", "2.pt", "3.pt"]


def test_no_checkpoint_is_written_over(three: Path) -> None:
    complains(track(three, "--output", three / "2.pt"), "2.pt", "overwritten")


def test_one_checkpoint_is_told_what_to_name(three: Path) -> None:
    complains(track(three / "1.pt"), "needs 2 checkpoints", "a pattern in quotes")


@pytest.mark.parametrize("path", ["nothing.pt", "*.ckpt"])
def test_a_path_that_leads_to_nothing(three: Path, path: str) -> None:
    complains(track(three / path), "no files there")


def test_two_networks_that_share_no_layer(three: Path, tmp_path: Path) -> None:
    result = track(three / "1.pt", SAMPLES / "adding_gru.h5")
    complains(result, "needs 2 checkpoints", "its recurrent layers are others")


def test_a_probe_that_fits_none(three: Path) -> None:
    complains(track(three, "--probe", SAMPLES / "adding_gru.probe.npz"), "adding_gru.probe.npz")


def test_a_misspelt_rule_costs_no_minute(three: Path) -> None:
    (three / "1.pt").write_bytes(b"")
    complains(track(three, "--select", "RNN999"), "RNN999")


def test_keras_files_in_a_process_of_its_own(tmp_path: Path) -> None:
    """A pattern that no shell has resolved; copies stand in for a run."""
    for k in (1, 2):
        shutil.copy(SAMPLES / "adding_gru.h5", tmp_path / f"epoch-{k}.h5")
    done = process("track", tmp_path / "*.h5", "--norms-only", "--format", "csv", "-q")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 3
