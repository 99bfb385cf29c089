"""Checkpoints inside archives, and archives that were made to do harm."""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from rnndiag import checkpoints, pipeline
from rnndiag.checkpoints import _archives
from rnndiag.errors import RnndiagError, UnreadableCheckpoint, UnsafeCheckpoint
from rnndiag.records import Options, StateDict

QUICK = Options(device="cpu", seeds=1, batch=2, timesteps=4)
KINDS = ["tar", "tar.gz", "tar.bz2", "zip"]


@pytest.fixture(autouse=True)
def unpacked_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where files are unpacked to; nothing but copies of whole members stays there."""
    place = tmp_path / "unpacked"
    place.mkdir()
    monkeypatch.setattr(_archives, "_folder", lambda: place)
    return place


def weights(folder: Path, suffix: str = "pt") -> bytes:
    torch.manual_seed(1)
    state = nn.LSTM(3, 4).state_dict()
    path = folder / f"weights.{suffix}"
    save_file(state, path) if suffix == "safetensors" else torch.save(state, path)
    return path.read_bytes()


def packed(folder: Path, kind: str, **members: bytes) -> Path:
    """An archive; ``__`` in names stands for ``/``."""
    path = folder / f"archive.{kind}"
    named = {name.replace("__", "/"): content for name, content in members.items()}
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in named.items():
                archive.writestr(name, content)
        return path
    with tarfile.open(path, f"w:{kind[4:]}") as archive:
        for name, content in named.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_member_is_read(tmp_path: Path, kind: str, suffix: str) -> None:
    content = weights(tmp_path, suffix)
    archive = packed(tmp_path, kind, readme=b"x" * 700, model__weights=content, last=b"")
    path = Path(f"{archive}::model/weights")
    report = pipeline.diagnose(str(path), QUICK)
    assert report.checkpoint.path == str(path)
    assert report.checkpoint.bytes == len(content)
    assert [layer.id for layer in report.layers] == ["lstm"]
    read = checkpoints.read(path).content
    assert isinstance(read, StateDict)
    torch.manual_seed(1)
    for name, tensor in nn.LSTM(3, 4).state_dict().items():
        np.testing.assert_array_equal(read.tensors[name], tensor.numpy())


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("name", ["m/" + "d" * 60 + "/" + "x" * 90, "./a.pt", "modèle.pt", "a.pt"])
def test_every_writer_of_tar(tmp_path: Path, format: int, name: str) -> None:
    content = weights(tmp_path)
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", format=format) as archive:
        for size, own in ((1000, "first"), (len(content), name)):
            info = tarfile.TarInfo(own)
            info.size = size
            info.mtime = 1.5
            archive.addfile(info, io.BytesIO(bytes(1000) if own == "first" else content))
    found = _archives.place(Path(f"{path}::{name}"))
    assert found.read_bytes() == content


def test_large_sizes_in_extended_headers_and_in_bytes(tmp_path: Path) -> None:
    for written in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        info = tarfile.TarInfo("huge.pt")
        info.size = 9 << 30
        path = tmp_path / "a.tar"
        path.write_bytes(info.tobuf(written) + bytes(4096))
        with pytest.raises(RnndiagError) as error:
            checkpoints.read(Path(f"{path}::huge.pt"))
        assert "breaks off" in error.value.message


def test_a_file_whose_own_name_has_colons(tmp_path: Path) -> None:
    path = tmp_path / "a::b.pt"
    path.write_bytes(weights(tmp_path))
    assert checkpoints.read(path).path == path


def test_archives_of_xz_say_what_can_be_unpacked(tmp_path: Path) -> None:
    path = packed(tmp_path, "tar.xz", w=weights(tmp_path))
    with pytest.raises(UnreadableCheckpoint, match="rnndiag unpacks gzip"):
        checkpoints.read(Path(f"{path}::w"))


def test_errors_name_what_the_user_named(tmp_path: Path, unpacked_to: Path) -> None:
    archive = packed(tmp_path, "zip", broken=weights(tmp_path)[:-100])
    with pytest.raises(UnreadableCheckpoint, match="damaged") as error:
        checkpoints.read(Path(f"{archive}::broken"))
    assert error.value.message.startswith(f"{archive}::broken: ")
    assert str(unpacked_to) not in error.value.message + error.value.hint


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_alone_and_a_wrong_name_say_what_it_holds(tmp_path: Path, kind: str) -> None:
    archive = packed(tmp_path, kind, **{f"m__{k}": b"x" for k in range(6)})
    for path in (archive, Path(f"{archive}::other")):
        with pytest.raises(UnreadableCheckpoint) as error:
            checkpoints.read(path)
        assert error.value.hint == (
            f"name one file in the archive: {archive}::m/0; it holds m/0, m/1, m/2, m/3, …"
        )


def test_files_go_when_the_process_ends(tmp_path: Path) -> None:
    archive = packed(tmp_path, "zip", w=weights(tmp_path))
    code = f"""
from pathlib import Path
from rnndiag.checkpoints import _archives
print(_archives.place(Path({f"{archive}::w"!r})))"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    place = Path(done.stdout.strip())
    assert place.parent.parent.parent == Path(tempfile.gettempdir())
    assert not place.parent.parent.exists()


# ---------------------------------------------------------------- made to do harm


@pytest.mark.parametrize("name", ["../w", "/etc/passwd", "a/../../w", "..\\w", "C:\\w", "\\\\x\\w"])
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_names_that_lead_out(tmp_path: Path, kind: str, name: str, unpacked_to: Path) -> None:
    archive = packed(tmp_path, kind, **{name: weights(tmp_path)})
    with pytest.raises(UnsafeCheckpoint, match="leads out"):
        checkpoints.read(Path(f"{archive}::{name}"))
    with pytest.raises(UnreadableCheckpoint) as error:
        checkpoints.read(archive)
    assert name not in error.value.hint
    assert not any(unpacked_to.iterdir())


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, b"S", b"3"])
def test_tar_members_that_are_no_files(tmp_path: Path, kind: bytes) -> None:
    secret = tmp_path / "secret.pt"
    secret.write_bytes(weights(tmp_path))
    info = tarfile.TarInfo("w")
    info.type, info.linkname = kind, str(secret)
    path = tmp_path / "a.tar"
    path.write_bytes(info.tobuf() + bytes(1024))
    with pytest.raises(UnsafeCheckpoint, match="no regular file"):
        checkpoints.read(Path(f"{path}::w"))


def test_a_sparse_tar_member(tmp_path: Path) -> None:
    """Its content is not what stands in the archive."""
    info = tarfile.TarInfo("w")
    info.pax_headers = {"GNU.sparse.major": "1"}
    path = tmp_path / "a.tar"
    path.write_bytes(info.tobuf(tarfile.PAX_FORMAT) + bytes(1024))
    with pytest.raises(UnsafeCheckpoint, match="no regular file"):
        checkpoints.read(Path(f"{path}::w"))


def test_a_symbolic_link_in_a_zip_file(tmp_path: Path) -> None:
    (tmp_path / "secret.pt").write_bytes(weights(tmp_path))
    info = zipfile.ZipInfo("w")
    info.create_system, info.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, str(tmp_path / "secret.pt"))
    with pytest.raises(UnsafeCheckpoint, match="no regular file"):
        checkpoints.read(Path(f"{tmp_path / 'a.zip'}::w"))


def test_a_name_that_stands_twice_in_a_zip_file(tmp_path: Path) -> None:
    path = packed(tmp_path, "zip", w=weights(tmp_path))
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("w", b"")
    with pytest.raises(UnsafeCheckpoint, match="twice"):
        checkpoints.read(Path(f"{path}::w"))


def test_a_zip_member_without_a_name(tmp_path: Path) -> None:
    """Found by mutation: ``ZipInfo.is_dir`` raises an IndexError."""
    path = packed(tmp_path, "zip", w=b"x")
    content = bytearray(path.read_bytes())
    directory = content.rindex(b"PK\x01\x02")
    content[directory + 28] = 0
    content[directory + 46 : directory + 47] = b""
    end = content.rindex(b"PK\x05\x06")
    content[end + 12] -= 1
    path.write_bytes(content)
    for name in (path, Path(f"{path}::w")):
        with pytest.raises(RnndiagError):
            checkpoints.read(name)


@pytest.mark.parametrize("name", ["w", "behind"])
@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
def test_bombs(tmp_path: Path, kind: str, name: str, unpacked_to: Path) -> None:
    """A gigabyte in a megabyte: as the member itself, or in front of it."""
    path = tmp_path / f"a.{kind}"
    piece = bytes(1 << 20)
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("behind", b"x")
            with archive.open("w", "w") as member:
                for _ in range(300):
                    member.write(piece)
    else:
        info, behind = tarfile.TarInfo("w"), tarfile.TarInfo("behind")
        info.size = 300 << 20
        with gzip.open(path, "wb", compresslevel=1) as file:
            file.write(info.tobuf())
            for _ in range(300):
                file.write(piece)
            file.write(behind.tobuf() + bytes(1024))
    started = time.monotonic()
    if kind == "zip" and name == "behind":
        with pytest.raises(UnreadableCheckpoint, match="not a checkpoint"):
            checkpoints.read(Path(f"{path}::behind"))
    else:
        with pytest.raises(UnsafeCheckpoint, match="unpacks to more than 256 MiB"):
            checkpoints.read(Path(f"{path}::{name}"))
        assert not any(unpacked_to.iterdir())
    assert time.monotonic() - started < 20


def raw(name: str = "w", size: bytes = b"00000000001\0", kind: bytes = b"0") -> bytearray:
    """A header with a size as it stands there, and a right checksum."""
    header = bytearray(512)
    header[: len(name)] = name.encode()
    header[124:136], header[156:157], header[257:263] = size, kind, b"ustar\0"
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return header


LONG = bytes(1 << 20)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (bytes(raw())[:300], "breaks off"),
        (raw(), "breaks off"),
        (raw()[:200] + b"\xff" + raw()[201:] + bytes(1024), "no tar archive"),
        (raw(size=b"9" * 12) + bytes(1024), "a number in a header"),
        (raw(size=b"\x80" + b"\xff" * 11) + bytes(1024), "breaks off"),
        (raw(kind=b"x", size=b"00004000000\0") + LONG + raw() + bytes(1024), "longer than any"),
        (raw(kind=b"L", size=b"00004000000\0") + LONG + raw() + bytes(1024), "longer than any"),
        (
            raw(kind=b"x", size=b"00000000010\0") + b"9999999 ".ljust(512, b"\0") + raw(),
            "an extended header",
        ),
        (
            raw(kind=b"x", size=b"00000000013\0") + b"11 size=-5\n".ljust(512, b"\0") + raw(),
            "the size in",
        ),
        (
            raw(kind=b"x", size=b"00000000013\0") + b"0 size=555\n".ljust(512, b"\0") + raw(),
            "an extended header",
        ),
    ],
)
def test_damaged_tar_headers(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(bytes(content))
    with pytest.raises(UnreadableCheckpoint, match=told) as error:
        checkpoints.read(Path(f"{path}::w"))
    assert "\n" not in error.value.message


@pytest.mark.parametrize("kind", KINDS)
def test_every_cut(tmp_path: Path, kind: str, unpacked_to: Path) -> None:
    whole = packed(tmp_path, kind, first=b"x", w=weights(tmp_path)).read_bytes()
    path = tmp_path / f"cut.{kind}"
    # Behind the member, tar has only zeros.
    for length in range(1, len(whole) - (9_000 if kind == "tar" else 100), 101):
        path.write_bytes(whole[:length])
        with pytest.raises(RnndiagError):
            checkpoints.read(Path(f"{path}::w"))
    assert not any(unpacked_to.iterdir())


@pytest.mark.parametrize("path", ["none.zip::w", "none.tar.gz::", "::w"])
def test_archives_that_are_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnreadableCheckpoint, match="no such archive"):
        checkpoints.read(Path(path))
