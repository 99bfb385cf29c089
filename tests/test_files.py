"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

from rnndiag.errors import BadOption
from rnndiag.files import check_writable, replacing


def test_a_file_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    (tmp_path / "report").write_text("old", encoding="utf-8")
    with replacing(tmp_path / "report") as temporary:
        temporary.write_text("new", encoding="utf-8")
        assert (tmp_path / "report").read_text(encoding="utf-8") == "old"
    assert (tmp_path / "report").read_text(encoding="utf-8") == "new"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_failure_leaves_the_older_file(tmp_path: Path) -> None:
    (tmp_path / "report").write_text("old", encoding="utf-8")
    with contextlib.suppress(ZeroDivisionError), replacing(tmp_path / "report") as temporary:
        temporary.write_text("half", encoding="utf-8")
        raise ZeroDivisionError
    assert (tmp_path / "report").read_text(encoding="utf-8") == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_full_disk_is_a_message(tmp_path: Path) -> None:
    with (
        pytest.raises(BadOption, match="report: cannot be written: No space left"),
        replacing(tmp_path / "report"),
    ):
        raise OSError(28, "No space left on device")
    assert not list(tmp_path.iterdir())


def test_others_may_read_what_was_asked_for(tmp_path: Path) -> None:
    with replacing(tmp_path / "report"):
        pass
    (tmp_path / "usual").touch()
    assert (tmp_path / "report").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    check_writable([tmp_path / "pipe"], [])
    with replacing(tmp_path / "pipe") as place:
        assert place == tmp_path / "pipe"
    assert (tmp_path / "pipe").is_fifo()


def test_places_are_checked_and_nothing_is_left_there(tmp_path: Path) -> None:
    check_writable([tmp_path / "a", tmp_path / "b"], [tmp_path / "input"])
    assert not list(tmp_path.iterdir())
    (tmp_path / "text").touch()
    for bad in ("none/file", "text/file", "."):
        with pytest.raises(BadOption, match="cannot be written"):
            check_writable([tmp_path / bad], [])


def test_a_place_is_used_once(tmp_path: Path) -> None:
    model = tmp_path / "model.h5"
    model.touch()
    (tmp_path / "link").symlink_to(model)
    for places in ([model], [tmp_path / "link"], [tmp_path / "new", tmp_path / "new"]):
        with pytest.raises(BadOption, match="would be overwritten"):
            check_writable(places, [model])
