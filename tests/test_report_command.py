"""``rnndiag report`` as it is typed: the folder, exit statuses, bad input, odd surroundings."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from advise_runs import FAST, SAMPLES, advise, broken, complains, network, process, run

from rnndiag import illustrating
from rnndiag.publishing.folders import MANIFEST

GRU = SAMPLES / "adding_gru.h5"
PROBE = ("--probe", SAMPLES / "adding_gru.probe.npz")
HISTORY = ("--history", SAMPLES / "adding_gru.history.csv")
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a healthy network."""
    folder = tmp_path_factory.mktemp("made") / "report"
    result = run("report", GRU, *PROBE, *HISTORY, "--arrays", "-o", folder)
    assert result.exit_code == 0, result.stderr
    assert result.stderr == f"rnndiag: {folder / 'index.html'} is written\n"
    assert result.stdout == "4 notes\n"
    return folder


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two figures, where it matters what becomes of a folder and not what is in it."""
    from rnndiag import figures
    from rnndiag.figures.checkpoint import overview, weights

    monkeypatch.setattr(figures, "modules", lambda kind: [overview, weights])


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


# ---------------------------------------------------------------- what is in the folder


def test_every_picture_is_a_png_that_both_pages_show(made: Path) -> None:
    pictures = {file.name for file in made.glob("*.png")}
    assert {"overview.png", "losses.png", "gru-forward-gradient_profile.png"} <= pictures
    assert all((made / name).read_bytes().startswith(PNG) for name in pictures)
    text = (made / "report.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\((.*?\.png)\)", text)) == pictures
    page = (made / "index.html").read_text(encoding="utf-8")
    assert page.count('<img src="data:image/png;base64,') == len(pictures)
    assert "could not be drawn" not in page


def test_nothing_else_is_in_it(made: Path) -> None:
    files = {file.name for file in made.iterdir() if file.suffix != ".png"}
    assert files == {"index.html", "report.md", "report.json", "arrays.npz", MANIFEST}
    assert list(made.parent.iterdir()) == [made]


def test_its_numbers_are_those_of_advise(made: Path) -> None:
    told = advise(GRU, *PROBE, *HISTORY, "--format", "json")
    assert json.loads((made / "report.json").read_text()) == json.loads(told.stdout)


def test_its_arrays_are_the_runs(made: Path) -> None:
    with np.load(made / "arrays.npz") as arrays:
        assert arrays["gru/forward/h"].shape == (16, 50, 32)
        assert arrays["gru/forward/dL_dh"].shape == (16, 50, 32)


@pytest.mark.usefixtures("quick")
def test_findings_are_told_on_the_page(here: Path) -> None:
    result = run("report", broken(here / "bad.pt"), *FAST, "-o", "report")
    assert result.exit_code == 1
    page = (here / "report" / "index.html").read_text(encoding="utf-8")
    assert "RNN901" in page or "non-finite-values" in page
    assert not (here / "report" / "arrays.npz").exists()


@pytest.mark.usefixtures("quick")
def test_without_a_recurrent_layer_the_page_says_so(here: Path) -> None:
    torch.save(torch.nn.Linear(5, 4).state_dict(), here / "linear.pt")
    result = run("report", "linear.pt", "-o", "report")
    assert result.exit_code == 3
    told = json.loads((here / "report" / "report.json").read_text())
    assert told["exit_code"] == 3
    assert (here / "report" / "index.html").read_text(encoding="utf-8").startswith("<!DOCTYPE")


@pytest.mark.usefixtures("quick")
def test_a_figure_that_breaks_takes_no_other_along(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rnndiag.figures.checkpoint import weights

    monkeypatch.setattr(weights, "_end", lambda weights: 1 / 0)
    result = run("report", network(here / "a.pt"), *FAST, "-o", "report", "--fail-on", "never")
    assert result.exit_code == 0
    text = (here / "report" / "report.md").read_text(encoding="utf-8")
    assert "The figure weights could not be drawn: ZeroDivisionError" in text
    assert (here / "report" / "overview.png").exists()


# ---------------------------------------------------------------- bad input, nothing lost


def test_bad_input_is_one_message(here: Path) -> None:
    network(here / "a.pt")
    (here / "thesis").mkdir()
    (here / "thesis" / "thesis.tex").write_text("years of work")
    (here / "file").write_text("mine")
    for arguments, told in (
        (("gone.pt", "-o", "report"), "no such file"),
        (("a.pt", "-o", "thesis"), "is no report of rnndiag's"),
        (("a.pt", "-o", "file"), "no folder"),
        (("a.pt", "-o", "a.pt"), "no folder"),
        (("a.pt", "-o", "file/report"), "cannot be written"),
        (("a.pt", "-o", "."), "is where you are"),
        (("a.pt", "-o", ".", "--force"), "is where you are"),
        (("a.pt", "-o", "report", "--history", "gone.csv"), "gone.csv"),
        (("a.pt", "-o", "report", "--select", "RNN999"), "RNN999"),
    ):
        complains(run("report", *arguments), told)
    assert run("report", "a.pt").exit_code == 2
    assert sorted(file.name for file in here.iterdir()) == ["a.pt", "file", "thesis"]
    assert (here / "thesis" / "thesis.tex").read_text() == "years of work"


def test_a_saved_report_has_nothing_to_draw(made: Path, tmp_path: Path) -> None:
    result = run("report", made / "report.json", "-o", tmp_path / "again")
    complains(result, "is a saved report", "give the checkpoint itself")
    assert not (tmp_path / "again").exists()


@pytest.mark.usefixtures("quick")
def test_the_checkpoint_is_not_replaced_with_what_is_made_of_it(here: Path) -> None:
    (here / "run").mkdir()
    network(here / "run" / "a.pt")
    complains(run("report", "run/a.pt", *FAST, "-o", "run", "--force"), "would be deleted")
    assert (here / "run" / "a.pt").exists()


@pytest.mark.usefixtures("quick")
def test_an_earlier_report_is_replaced_and_force_replaces_all(here: Path) -> None:
    network(here / "a.pt")
    again = ("report", "a.pt", *FAST, "-q", "-o", "report", "--fail-on", "never")
    assert run(*again, "--arrays").exit_code == 0
    assert run(*again).exit_code == 0
    assert not (here / "report" / "arrays.npz").exists()
    (here / "report" / "notes.txt").write_text("mine")
    complains(run(*again), "notes.txt")
    assert run(*again, "--force").exit_code == 0
    assert not (here / "report" / "notes.txt").exists()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), 2, "No space left on device"),
        (MemoryError(), 2, "MemoryError"),
    ],
)
def test_whatever_breaks_off_the_earlier_report_stands(
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    status: int,
    told: str,
) -> None:
    network(here / "a.pt")
    arguments = ("report", "a.pt", *FAST, "-q", "-o", "report", "--fail-on", "never")
    assert run(*arguments).exit_code == 0
    before = {file.name: file.read_bytes() for file in (here / "report").iterdir()}

    def breaking(file: Path, text: str) -> None:
        raise error

    monkeypatch.setattr(illustrating, "_write", breaking)
    result = run(*arguments)
    assert result.exit_code == status
    assert told in result.stderr
    assert {file.name: file.read_bytes() for file in (here / "report").iterdir()} == before
    assert sorted(file.name for file in here.iterdir()) == ["a.pt", "report"]


# ---------------------------------------------------------------- what is said of it


def test_the_worst_is_told_where_it_was_asked_for(here: Path, quick: None) -> None:
    bad = SAMPLES / "recall_default.pt"
    probe = ("--probe", SAMPLES / "recall_default.probe.npz", "--lag", 219)
    result = run("report", bad, *probe, "-o", "page", "--fail-on", "never")
    first, *lines = result.stdout.splitlines()
    assert first.startswith("1 warning, ")
    assert lines[0].startswith("• warning RNN103 memory-shorter-than-lag, rnn →: the gradient")
    assert lines[-1].endswith("more findings on the page")
    assert result.stderr == "rnndiag: page/index.html is written\n"


# ---------------------------------------------------------------- odd surroundings


def test_surroundings_change_nothing_and_say_nothing(here: Path) -> None:
    """No display, no home to keep caches in, a backend that is none, settings of the user's."""
    network(here / "a.pt")
    (here / "matplotlibrc").write_text("backend: nonsense\nlines.linewidth: 40\nno.such: 1\n")
    odd = {"MPLBACKEND": "nonsense", "MPLCONFIGDIR": "/proc/none", "HOME": "/proc/none"}
    odd |= {"DISPLAY": "", "PYTHONWARNINGS": "default", "XDG_CACHE_HOME": "/proc/none"}
    given = ("report", "a.pt", *FAST, "-q", "--fail-on", "never", "-o")
    done = process(*given, "odd", cwd=here, **odd)
    assert (done.returncode, done.stdout) == (0, "1 note\n")
    assert _own(done) == ""
    text = (here / "odd" / "report.md").read_text(encoding="utf-8")
    assert "could not be drawn" not in text
    assert "overview.png" in text


@pytest.mark.usefixtures("quick")
def test_settings_of_the_users_change_no_picture(here: Path) -> None:
    import matplotlib as mpl

    network(here / "a.pt")
    given = ("report", "a.pt", *FAST, "-q", "--fail-on", "never", "-o")
    assert run(*given, "usual").exit_code == 0
    with mpl.rc_context({"lines.linewidth": 40, "figure.facecolor": "red", "font.size": 30}):
        assert run(*given, "odd").exit_code == 0
    for picture in (here / "usual").glob("*.png"):
        assert (here / "odd" / picture.name).read_bytes() == picture.read_bytes()


def _own(done: subprocess.CompletedProcess[str]) -> str:
    """Stderr without what Python warns of in other people's code, which the test asks it to."""
    lines = done.stderr.splitlines()
    return "\n".join(line for line in lines if "Warning" not in line and not line.startswith("  "))
