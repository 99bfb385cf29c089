"""Checkpoints inside archives."""

from __future__ import annotations

import gzip
import tarfile
import zipfile
from pathlib import Path

from tests.fuzz.seeds import DATA, Arguments, writes
from tests.fuzz.writers.torch_files import state_dict_of_a_gru


@writes("in-an-archive")
def in_a_tar(folder: Path) -> Arguments:
    name, *_ = state_dict_of_a_gru(folder)
    with tarfile.open(folder / "files.tar", "w") as archive:
        archive.add(folder / name, f"run/{name}", filter=_without_a_date)
    (folder / name).unlink()
    return (f"files.tar::run/{name}",)


@writes("in-an-archive")
def in_a_packed_tar(folder: Path) -> Arguments:
    argument = in_a_tar(folder)[0]
    # Packed apart, as tarfile would note the time.
    content = (folder / "files.tar").read_bytes()
    (folder / "files.tar.gz").write_bytes(gzip.compress(content, mtime=0))
    (folder / "files.tar").unlink()
    return (argument.replace(".tar", ".tar.gz"),)


@writes("in-an-archive")
def in_a_zip(folder: Path) -> Arguments:
    content = (DATA / "keras/tf-keras-2.15/lstm_basic.h5").read_bytes()
    with zipfile.ZipFile(folder / "files.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("run/net.h5"), content, zipfile.ZIP_DEFLATED)
    return ("files.zip::run/net.h5",)


def _without_a_date(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.mtime = info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mode = 0o644
    return info
