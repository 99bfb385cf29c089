"""Nothing that a command reads is written over or deleted, by whatever option it is read."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from advise_runs import SAMPLES, run

from rnndiag.cli import places
from rnndiag.errors import BadOption


@pytest.fixture(autouse=True)
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three checkpoints of a run, in a folder of the current one."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "run"
    folder.mkdir()
    for epoch in (1, 2, 3):
        shutil.copy(SAMPLES / "bias_outgrows" / f"epoch-{epoch}.pt", folder)
    shutil.copy(SAMPLES / "bias_outgrows" / "epoch-12.pt", tmp_path / "last.pt")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(own): own.read_bytes() for own in sorted(folder.rglob("*")) if own.is_file()}


@pytest.mark.parametrize(
    "arguments",
    [
        ("report", "last.pt", "--series", "run", "-o", "run", "--force"),
        ("report", "last.pt", "--config", "cfg/rnndiag.toml", "-o", "cfg", "--force"),
        ("report", "last.pt", "--model", "cfg/net.py:make", "-o", "cfg", "--force"),
        ("plan", "last.pt", "--series", "run", "--output", "run/epoch-1.pt"),
        ("plan", "last.pt", "--config", "cfg/rnndiag.toml", "--output", "cfg/rnndiag.toml"),
        ("compare", "last.pt", "run/epoch-1.pt", "-o", "run", "--force"),
        ("track", "run", "-o", "run", "--force"),
        ("track", "run", "--output", "run/epoch-2.pt"),
        ("advise", "last.pt", "--series", "run", "--output", "run/epoch-3.pt"),
        ("inspect", "last.pt", "--config", "cfg/rnndiag.toml", "--output", "cfg/rnndiag.toml"),
    ],
    ids=" ".join,
)
def test_what_is_read_stays(arguments: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "cfg").mkdir()
    (tmp_path / "cfg" / "rnndiag.toml").write_text("seeds = 1\n")
    (tmp_path / "cfg" / "net.py").write_text("make = None\n")
    before = contents(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 2, result.stdout
    assert contents(tmp_path) == before


def test_a_link_to_a_checkpoint_keeps_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "linked"
    folder.mkdir()
    (folder / "latest.pt").symlink_to(tmp_path / "last.pt")
    result = run("report", "linked/latest.pt", "-o", "linked", "--force")
    assert result.exit_code == 2
    assert (folder / "latest.pt").is_symlink()


def test_no_output_lies_in_the_folder_that_is_replaced() -> None:
    with pytest.raises(BadOption, match="lies in rep"):
        places.check([Path("rep/table.txt")], [], Path("rep"))


def test_the_text_of_an_earlier_call_is_written_anew(tmp_path: Path) -> None:
    command = ("track", "run", "--norms-only", "--format", "csv", "--output", "run/course.csv")
    for _ in range(2):
        result = run(*command)
        assert result.exit_code in (0, 1), result.stderr
    assert (tmp_path / "run" / "course.csv").read_text().count("epoch-1.pt") == 1


def test_what_comes_into_the_folder_meanwhile_stays(tmp_path: Path) -> None:
    from rnndiag.publishing import folders

    place = tmp_path / "new"
    folders.check_replaceable(place, force=False)

    def fill() -> None:
        with folders.replacing(place) as made:
            (made / "index.html").write_text("page")
            place.mkdir()
            (place / "thesis.tex").write_text("years of work")

    with pytest.raises(BadOption, match="no report of rnndiag's"):
        fill()
    assert (place / "thesis.tex").read_text() == "years of work"
    assert [own.name for own in tmp_path.iterdir() if own.name.startswith(".")] == []
