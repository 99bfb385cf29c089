"""Report folders: whole or not there, and only ever in the place of their own kind."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rnndiag.errors import BadOption
from rnndiag.publishing import folders


@pytest.fixture(params=["at once", "in two steps"])
def exchange(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways in which folders trade places; the first falls back where there is none."""
    if request.param == "in two steps":
        monkeypatch.setattr(folders, "_exchanged_at_once", lambda new, old: False)
    return str(request.param)


def publish(folder: Path, text: str = "new", name: str = "index.html") -> None:
    with folders.replacing(folder) as made:
        (made / name).write_text(text)


def held(folder: Path) -> dict[str, str]:
    files = (file for file in folder.rglob("*") if file.is_file())
    found = {file.relative_to(folder).as_posix(): file.read_text() for file in files}
    return {name: text for name, text in found.items() if name != folders.MANIFEST}


def alone(folder: Path) -> bool:
    """Whether nothing is left beside the folder."""
    return [own.name for own in folder.parent.iterdir()] == [folder.name]


# ---------------------------------------------------------------- what is put in place


def test_a_folder_appears_with_its_parents(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b" / "report"
    publish(folder)
    assert held(folder) == {"index.html": "new"}
    assert alone(folder)


@pytest.mark.usefixtures("exchange")
def test_an_earlier_report_is_replaced_as_a_whole(tmp_path: Path) -> None:
    folder = tmp_path / "report"
    publish(folder, "old", "gone.png")
    folders.check_replaceable(folder, force=False)
    publish(folder)
    assert held(folder) == {"index.html": "new"}
    assert alone(folder)


def test_a_relative_folder_stands_where_the_user_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    publish(Path("report"), "old")
    publish(Path("report"))
    assert held(tmp_path / "report") == {"index.html": "new"}


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_permissions_are_the_usual_ones(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        publish(tmp_path / "report")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "report").stat().st_mode) == 0o777 & ~mask
    page = tmp_path / "report" / "index.html"
    assert stat.S_IMODE(page.stat().st_mode) == 0o666 & ~mask


# ---------------------------------------------------------------- whatever happens on the way


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
@pytest.mark.usefixtures("exchange")
def test_the_old_one_stands_if_the_work_breaks_off(
    tmp_path: Path, error: type[BaseException]
) -> None:
    folder = tmp_path / "report"
    publish(folder, "old")
    with pytest.raises(error), folders.replacing(folder) as made:
        _break_off(made, error)
    assert held(folder) == {"index.html": "old"}
    assert alone(folder)


def _break_off(made: Path, error: type[BaseException]) -> None:
    (made / "index.html").write_text("half")
    raise error


def test_nothing_appears_if_the_work_breaks_off(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), folders.replacing(tmp_path / "report"):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "report"
    publish(folder, "old")
    with pytest.raises(BadOption, match="No space left on device"), folders.replacing(folder):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert held(folder) == {"index.html": "old"}
    assert alone(folder)


def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=64k") as disk:
        folder = disk / "report"
        publish(folder, "old")
        with pytest.raises(BadOption, match="No space left on device"):
            publish(folder, "new" * 100_000)
        assert held(folder) == {"index.html": "old"}
        assert alone(folder)


@pytest.mark.parametrize("broken", ["aside", "into place"])
def test_the_old_one_comes_back_if_a_rename_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """Without renameat2 it is moved aside first."""
    folder = tmp_path / "report"
    publish(folder, "old")
    monkeypatch.setattr(folders, "_exchanged_at_once", lambda new, old: False)
    rename, calls = Path.rename, iter(["aside", "into place", "back"])

    def breaking(self: Path, target: Path) -> Path:
        if next(calls) == broken:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", breaking)
    with pytest.raises(BadOption, match="cannot be written"):
        publish(folder)
    monkeypatch.undo()
    assert held(folder) == {"index.html": "old"}
    assert alone(folder)


def test_an_interrupt_between_two_renames_brings_the_old_one_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "report"
    publish(folder, "old")
    monkeypatch.setattr(folders, "_exchanged_at_once", lambda new, old: False)
    rename, calls = Path.rename, iter([False, True, False])

    def interrupted(self: Path, target: Path) -> Path:
        if next(calls):
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        publish(folder)
    monkeypatch.undo()
    assert held(folder) == {"index.html": "old"}
    assert alone(folder)


# ---------------------------------------------------------------- whose folder it is


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    folder = tmp_path / "report"
    folder.mkdir()
    folders.check_replaceable(folder, force=False)
    publish(folder)
    assert held(folder) == {"index.html": "new"}


@pytest.mark.parametrize("manifest", [None, "", "[]", "{}", '{"files": 3}', "\x00"])
def test_a_folder_that_is_no_report_is_refused(tmp_path: Path, manifest: str | None) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    if manifest is not None:
        (tmp_path / folders.MANIFEST).write_text(manifest)
    with pytest.raises(BadOption, match=r"is no report of rnndiag's|no part of the report"):
        folders.check_replaceable(tmp_path, force=False)
    folders.check_replaceable(tmp_path, force=True)


def test_a_report_with_something_of_somebody_elses_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "report"
    publish(folder)
    (folder / "notes").mkdir()
    for k in range(5):
        (folder / "notes" / f"{k}.txt").write_text("mine")
    with pytest.raises(BadOption, match=r"notes/0\.txt, notes/1\.txt, notes/2\.txt and 2 more"):
        folders.check_replaceable(folder, force=False)
    folders.check_replaceable(folder, force=True)
    assert len(held(folder)) == 6


def test_a_link_within_is_somebody_elses_and_is_never_followed(tmp_path: Path) -> None:
    folder, outside = tmp_path / "report", tmp_path / "data"
    publish(folder)
    outside.mkdir()
    (outside / "kept.txt").write_text("kept")
    (folder / "link").symlink_to(outside)
    with pytest.raises(BadOption, match="no part of the report: link"):
        folders.check_replaceable(folder, force=False)
    with folders.replacing(folder, force=True) as made:
        (made / "index.html").write_text("new")
    assert (outside / "kept.txt").read_text() == "kept"


def test_a_dangling_link_within_is_somebody_elses_too(tmp_path: Path) -> None:
    folder = tmp_path / "report"
    publish(folder)
    (folder / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(BadOption, match="no part of the report: link"):
        folders.check_replaceable(folder, force=False)


@pytest.mark.parametrize("force", [False, True])
def test_a_file_or_a_link_in_its_place_is_refused(tmp_path: Path, force: bool) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_text("mine")
    (tmp_path / "target").mkdir()
    link.symlink_to(tmp_path / "target")
    for place, told in ((file, "no folder"), (link, "is a link")):
        with pytest.raises(BadOption, match=told):
            folders.check_replaceable(place, force=force)
    assert file.read_text() == "mine"
    assert link.is_symlink()


@pytest.mark.parametrize("place", [".", "..", "/", ""])
@pytest.mark.parametrize("force", [False, True])
def test_the_folder_one_stands_in_is_never_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, force: bool
) -> None:
    """Not even an empty one: the shell that asked for it would stand in a folder that is gone."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(BadOption):
        folders.check_replaceable(Path(place), force=force)


# ---------------------------------------------------------------- where nothing can be written


def test_a_parent_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadOption, match=r"cannot be written: (Not a directory|File exists)"):
        folders.check_replaceable(tmp_path / "file" / "report", force=False)


def test_a_disk_that_is_read_only_is_told(tmp_path: Path) -> None:
    with (
        mounted(tmp_path / "disk", "ro") as disk,
        pytest.raises(BadOption, match="Read-only file system"),
    ):
        folders.check_replaceable(disk / "report", force=False)


@pytest.mark.parametrize("name", ["x" * 300, "zero\0byte"])
def test_a_name_that_no_file_may_have_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadOption, match="cannot be written"):
        folders.check_replaceable(tmp_path / name, force=False)


def test_the_longest_name_that_a_folder_may_have(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 255)
    folders.check_replaceable(folder, force=False)
    publish(folder)
    assert held(folder) == {"index.html": "new"}


def test_a_check_leaves_nothing_behind(tmp_path: Path) -> None:
    folders.check_replaceable(tmp_path / "report", force=False)
    assert list(tmp_path.iterdir()) == []


@contextmanager
def mounted(place: Path, options: str) -> Iterator[Path]:
    """A small file system of its own; skips the test where it cannot be made."""
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if done.returncode != 0:
        pytest.skip(f"no file system can be mounted: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_what_is_read_is_never_deleted(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "model.pt").write_text("trained for weeks")
    with pytest.raises(BadOption, match=r"holds .*model\.pt, which would be deleted"):
        folders.check_replaceable(folder, force=True, read=[folder / "model.pt"])
    folders.check_replaceable(tmp_path / "report", force=True, read=[folder / "model.pt"])


# ---------------------------------------------------------------- what stands there


def test_a_report_of_another_kind_is_replaced_by_force_alone(tmp_path: Path) -> None:
    folder = tmp_path / "report"
    about = folders.About(kind="report", subject="tiny.h5")
    with folders.replacing(folder, about) as made:
        (made / "index.html").write_text("old")
    assert folders.standing(folder) == about
    folders.check_replaceable(folder, force=False, kind="report")
    with pytest.raises(BadOption, match=r"`rnndiag report` wrote on tiny\.h5"):
        folders.check_replaceable(folder, force=False, kind="compare")
    folders.check_replaceable(folder, force=True, kind="compare")
    other = folders.About(kind="compare", subject="a.h5 → b.h5")
    with pytest.raises(BadOption, match="wrote on"), folders.replacing(folder, other) as made:
        (made / "index.html").write_text("new")
    assert held(folder) == {"index.html": "old"}


@pytest.mark.parametrize("told", ["", "3", '{"files": []}', '{"files": [], "about": []}'])
def test_a_manifest_of_an_earlier_version_tells_no_subject(tmp_path: Path, told: str) -> None:
    (tmp_path / folders.MANIFEST).write_text(told)
    assert folders.standing(tmp_path) is None
