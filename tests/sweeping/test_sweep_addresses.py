"""Checkpoints elsewhere, by way of fsspec: in memory, and by an address of the local disk."""

from __future__ import annotations

import builtins
import hashlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from advise_runs import FAST, complains, network, run
from sweep_crews import at_hand

from rnndiag import sweeping
from rnndiag.advising import Case
from rnndiag.errors import BadOption
from rnndiag.outputs.sweeps.json import row_data
from rnndiag.records import Options
from rnndiag.sweeping import _addresses, _keeping, _tasks, find

fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed: rnndiag[remote]")
QUICK = Case(options=Options(batch=2, seeds=1, timesteps=6))


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[Any]:
    """A file system in memory with a real checkpoint in it, twice, and other things."""
    system = fsspec.filesystem("memory")
    content = network(tmp_path / "own.pt").read_bytes()
    for name in ("runs/a/ckpt-10.pt", "runs/a/ckpt-9.pt"):
        system.pipe(f"/{name}", content)
    system.pipe("/runs/a/log.csv", b"x")
    system.pipe("/runs/b/broken.pt", b"broken")
    yield system
    system.rm("/runs", recursive=True)


def measured(address: str) -> Any:
    return _tasks.measure(_tasks.tasks([address], lambda _: QUICK)[0])


@pytest.mark.parametrize(
    ("path", "is_one"),
    [
        ("s3://bucket/x.pt", True),
        ("simplecache::https://host/x.pt", True),
        ("memory://x", True),
        ("runs/x.pt", False),
        ("weights.tar.gz::model.pt", False),
        ("C:\\runs\\x.pt", False),
    ],
)
def test_what_an_address_is(path: str, is_one: bool) -> None:
    assert _addresses.is_address(path) == is_one


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("memory://runs/a/ckpt-9.pt", ["a/ckpt-9.pt"]),
        ("memory://runs/a/*.pt", ["a/ckpt-10.pt", "a/ckpt-9.pt"]),
        ("memory://runs/**/*.pt", ["a/ckpt-10.pt", "a/ckpt-9.pt", "b/broken.pt"]),
        ("memory://runs/a", ["a/ckpt-9.pt", "a/ckpt-10.pt"]),
        ("memory://runs/", ["a/ckpt-9.pt", "a/ckpt-10.pt", "b/broken.pt"]),
    ],
)
def test_addresses_are_found(bucket: Any, address: str, found: list[str]) -> None:
    names = [file.replace("memory:///", "memory://") for file in find([address]).files]
    assert sorted(names) == sorted(f"memory://runs/{name}" for name in found)


@pytest.mark.parametrize("name", ["x.pt", "x.pt?signature=a/b", "run[1].keras"])
def test_one_file_is_not_asked_for_before_it_is_read(name: str) -> None:
    """Some places would send all of it to tell whether it is a folder; this one does not exist."""
    assert find([f"memory://nowhere/{name}"]).files == (f"memory://nowhere/{name}",)


def test_folders_there_leave_other_files_out_and_say_so(bucket: Any) -> None:
    (note,) = find(["memory://runs"]).notes
    assert ".csv 1" in note


def test_a_pattern_there_that_leads_to_nothing(bucket: Any) -> None:
    with pytest.raises(BadOption, match="no checkpoint is there"):
        find(["memory://runs/*.keras"])


def test_a_file_is_fetched_measured_and_removed(
    bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = []
    fetched = _addresses.fetched

    def noted(address: str) -> Any:
        copies.append(fetched(address))
        return copies[-1]

    monkeypatch.setattr(_addresses, "fetched", noted)
    row = measured("memory://runs/a/ckpt-9.pt")
    assert (row.status, row.layers) == ("ok", 1)
    assert row.path == "memory://runs/a/ckpt-9.pt"
    assert row.sha256 == hashlib.sha256(bucket.cat("/runs/a/ckpt-9.pt")).hexdigest()
    assert row.stamp.bytes == bucket.info("/runs/a/ckpt-9.pt")["size"]
    assert row.stamp.modified
    assert len(copies) == 1


def test_the_copy_is_gone_afterwards(bucket: Any) -> None:
    with _addresses.fetched("memory://runs/b/broken.pt") as copy:
        assert (copy.name, copy.read_bytes()) == ("broken.pt", b"broken")
    assert not copy.parent.exists()


def test_a_broken_file_is_told_by_its_address(bucket: Any) -> None:
    row = measured("memory://runs/b/broken.pt")
    assert (row.status, row.exit_code) == ("failed", 2)
    assert row.message.startswith("not a checkpoint")
    assert "/tmp" not in row.message + row.hint


def test_a_file_that_is_gone_is_a_row(bucket: Any) -> None:
    row = measured("memory://runs/gone.pt")
    assert (row.status, row.message) == ("failed", "no such file")


def test_rows_hold_as_long_as_the_place_says_nothing_else(bucket: Any) -> None:
    address = "memory://runs/a/ckpt-9.pt"
    (task,) = _tasks.tasks([address], lambda _: QUICK)
    row = _tasks.measure(task)
    kept = {address: row_data(row)}
    assert set(_keeping.still_true(kept, [task])) == {address}
    unsaid = {address: row_data(replace(row, stamp=replace(row.stamp, modified=None)))}
    assert _keeping.still_true(unsaid, [task]) == {}
    bucket.pipe("/runs/a/ckpt-9.pt", bucket.cat("/runs/a/ckpt-9.pt"))
    assert _keeping.still_true(kept, [task]) == {}
    bucket.rm("/runs/a/ckpt-9.pt")
    assert _keeping.still_true(kept, [task]) == {}


def test_without_fsspec_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    own = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "fsspec":
            raise ModuleNotFoundError("No module named 'fsspec'", name="fsspec")
        return own(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(BadOption) as caught:
        find(["s3://bucket/runs/"])
    assert caught.value.message == "s3://bucket/runs/: fsspec is not installed"
    assert "pip install 'rnndiag[remote]'" in caught.value.hint


def test_a_kind_of_address_that_fsspec_has_no_package_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(address: str) -> Any:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("fsspec.core.url_to_fs", missing)
    with pytest.raises(BadOption) as caught:
        find(["s3://bucket/runs/"])
    assert "Install s3fs" in caught.value.message


@pytest.mark.parametrize("listed", [False, True])
def test_a_package_that_is_missing_is_one_error_and_not_a_row_for_each_file(
    listed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    addresses = [f"s3://bucket/runs/{k}.pt" for k in range(3)]
    if listed:
        (tmp_path / "list").write_text("\n".join(addresses))
        addresses = [f"@{tmp_path}/list"]
    with pytest.raises(BadOption) as caught:
        find(addresses)
    assert "Install s3fs" in caught.value.message
    assert caught.value.hint == "pip install s3fs"
    result = run("sweep", *addresses, "-o", tmp_path / "out", *FAST)
    assert result.exit_code == 2
    assert not (tmp_path / "out").exists()


def test_of_addresses_in_one_another_each_kind_is_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _addresses.check(["simplecache::memory://runs/1.pt", "file:///runs/1.pt"])
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(BadOption, match="s3fs"):
        _addresses.check(["file:///1.pt", "simplecache::s3://bucket/1.pt"])
    with pytest.raises(BadOption, match="s3fs"):
        _addresses.check(["zip://1.pt::file:///1.zip", "zip://1.pt::S3://bucket/1.zip"])
    with pytest.raises(BadOption, match="ValueError: Protocol not known: nosuch"):
        _addresses.check(["nosuch://1.pt"])


def test_a_kind_of_address_may_be_in_capitals(bucket: Any) -> None:
    assert len(_addresses.resolved("MEMORY://runs/a")) == 3
    assert measured("Memory://runs/a/ckpt-9.pt").status == "ok"


def test_an_address_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "local", at_hand)
    (tmp_path / "in").mkdir()
    network(tmp_path / "in/1.pt")
    result = run("sweep", f"file://{tmp_path}/in/", "-o", tmp_path / "out", *FAST)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out/sweep.jsonl").read_text().count("file://") == 1
    complains(
        run("sweep", f"file://{tmp_path}/gone/", "-o", tmp_path / "no", *FAST),
        "no checkpoint is there",
    )
