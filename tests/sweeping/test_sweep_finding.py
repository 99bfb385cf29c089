"""Patterns, folders, lists and addresses become files."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from rnndiag.advising import Case
from rnndiag.errors import BadOption
from rnndiag.sweeping import _tasks, find


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Some files in folders; the working folder is the one that has all of them."""
    names = ("a/ckpt-2.pt", "a/ckpt-10.pt", "a/notes.md", "a/deep/er/best.keras", "b/one.h5")
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(*patterns: object) -> list[str]:
    return [*find([str(pattern) for pattern in patterns]).files]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("a/ckpt-2.pt", ["a/ckpt-2.pt"]),
        ("a/notes.md", ["a/notes.md"]),
        ("a/*.pt", ["a/ckpt-2.pt", "a/ckpt-10.pt"]),
        ("**/*.keras", ["a/deep/er/best.keras"]),
        ("a", ["a/ckpt-2.pt", "a/ckpt-10.pt", "a/deep/er/best.keras"]),
        ("a/", ["a/ckpt-2.pt", "a/ckpt-10.pt", "a/deep/er/best.keras"]),
        (".", ["a/ckpt-2.pt", "a/ckpt-10.pt", "a/deep/er/best.keras", "b/one.h5"]),
        ("b/gone.tar::inner/model.pt", ["b/gone.tar::inner/model.pt"]),
    ],
)
def test_a_pattern(runs: Path, pattern: str, found: list[str]) -> None:
    assert files(pattern) == found


def test_patterns_keep_their_order_and_each_file_is_there_once(runs: Path) -> None:
    assert files("b", "a/ckpt-10.pt", runs / "a", "./b/one.h5") == [
        "b/one.h5",
        "a/ckpt-10.pt",
        str(runs / "a/ckpt-2.pt"),
        str(runs / "a/deep/er/best.keras"),
    ]


def test_a_link_is_the_file_it_leads_to(runs: Path) -> None:
    (runs / "a/last.pt").symlink_to("ckpt-10.pt")
    assert files("a/last.pt", "a/*.pt") == ["a/last.pt", "a/ckpt-2.pt"]


def test_brackets_in_a_name_are_no_pattern(runs: Path) -> None:
    (runs / "b/run[1].pt").touch()
    assert files("b/run[1].pt") == ["b/run[1].pt"]


def test_hidden_files_and_folders_are_not_taken(runs: Path) -> None:
    (runs / "b/.cache").mkdir()
    (runs / "b/.cache/x.pt").touch()
    (runs / "b/.x.pt").touch()
    assert files("b") == ["b/one.h5"]


def test_what_a_folder_has_besides_is_said(runs: Path) -> None:
    for name in ("log.csv", "log2.csv", "README"):
        (runs / "a" / name).touch()
    (note,) = find(["a"]).notes
    assert note.startswith("4 files in folders are not named as checkpoints are")
    assert "(.csv 2, .md 1, no ending 1)" in note
    assert find(["a/*.pt"]).notes == ()


def test_a_folder_of_torch_distributed_is_one_checkpoint(runs: Path) -> None:
    for place in ("b", "b/inner"):
        (runs / place / "step").mkdir(parents=True)
        (runs / place / "step/.metadata").touch()
        (runs / place / "step/__0_0.distcp").touch()
    assert files("b") == ["b/inner/step", "b/one.h5", "b/step"]
    assert files("b/step") == ["b/step"]


def test_an_index_stands_for_its_shards(runs: Path) -> None:
    for name in ("model.safetensors.index.json", "model-00001-of-00002.safetensors"):
        (runs / "b" / name).touch()
    (runs / "b/other-00001-of-00002.safetensors").touch()
    assert files("b") == [
        "b/model.safetensors.index.json",
        "b/one.h5",
        "b/other-00001-of-00002.safetensors",
    ]


@pytest.mark.parametrize("name", ["@list.lst", "list.txt", "@list.txt", "-"])
def test_a_list(runs: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "# checkpoints\n\n  b/one.h5 \na/*.pt\nb/gone.pt\na/deep\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    if name != "-":
        (runs / name.removeprefix("@")).write_text(text)
    # What is gone is a row that says so.
    assert files(name) == [
        "b/one.h5",
        "a/ckpt-2.pt",
        "a/ckpt-10.pt",
        "b/gone.pt",
        "a/deep/er/best.keras",
    ]


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("gone.pt", "gone.pt: no files there"),
        ("a/*.h5", "a/*.h5: no files there"),
        ("@gone.txt", "gone.txt: the list cannot be read: No such file"),
        ("@a", "the list cannot be read"),
        ("@binary.lst", "it is no text"),
        ("@empty.lst", "@empty.lst: no checkpoint is there"),
        ("empty", "empty: no checkpoint is there"),
        ("gone://bucket/x/", "gone://bucket/x/: cannot be read"),
    ],
)
def test_what_leads_to_nothing(runs: Path, pattern: str, told: str) -> None:
    (runs / "empty.lst").write_text("# nothing\n")
    (runs / "binary.lst").write_bytes(b"\xff\xfe\x00")
    (runs / "empty").mkdir()
    with pytest.raises(BadOption) as caught:
        find([pattern])
    assert told in caught.value.message
    assert caught.value.hint


def test_a_name_that_is_too_long(runs: Path) -> None:
    """As what may not be looked at: an error of its own, or a row where only a list names it."""
    name = f"{'x' * 300}.pt"
    with pytest.raises(BadOption, match="cannot be read: File name too long"):
        find([name])
    (runs / "list.lst").write_text(f"{name}\na/*.pt\n")
    assert files("@list.lst")[0] == name
    row = _tasks.measure(_tasks.tasks([name], lambda _: Case())[0])
    assert (row.status, row.exit_code) == ("failed", 2)
    assert "File name too long" in row.message


def test_lists_are_known_by_their_names(runs: Path) -> None:
    for name in ("list.lst", "list.txt"):
        (runs / name).write_text("a/*.pt\n")
    assert find(["@list.lst", "b", "list.txt"]).lists == ("list.lst", "list.txt")


def test_a_folder_with_other_files_only_says_which(runs: Path) -> None:
    (runs / "c").mkdir()
    (runs / "c/log.csv").touch()
    with pytest.raises(BadOption) as caught:
        find(["c"])
    assert ".csv 1" in caught.value.hint
