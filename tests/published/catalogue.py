"""The published checkpoints by name: what `checkpoints.toml` says of them, as records."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class File:
    """One file of a package."""

    path: str
    """In the package; of an archive in it, where `inside` is not None."""
    sha256: str
    inside: str | None = None
    """The file in that archive."""

    @property
    def place(self) -> PurePosixPath:
        """Where it lies in the package's folder once it is fetched."""
        path = PurePosixPath(self.path)
        if self.inside is None:
            return path
        return path.with_name(path.name.removesuffix(".gz")).with_suffix("") / self.inside


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """One checkpoint of a package."""

    id: str
    package: str
    file: File
    beside: tuple[File, ...] = ()
    """What reading it takes beside it."""

    @property
    def report(self) -> Path:
        """The saved report."""
        return FOLDER / "reports" / f"{self.id}.json"

    def fetched(self, folder: Path) -> Path:
        """Where `fetch` puts it."""
        return folder / self.package / self.file.place


@dataclass(frozen=True, kw_only=True)
class Package:
    """One version of a published package."""

    name: str
    version: str
    licence: str
    kind: str
    """What is downloaded: ``wheel`` or ``sdist``."""
    checkpoints: tuple[Checkpoint, ...]

    @property
    def files(self) -> Iterator[File]:
        """All that is fetched from it."""
        for checkpoint in self.checkpoints:
            yield checkpoint.file
            yield from checkpoint.beside


def packages() -> tuple[Package, ...]:
    """Every package, in the file's order."""
    data = tomllib.loads((FOLDER / "checkpoints.toml").read_text(encoding="utf-8"))
    return tuple(_package(entry) for entry in data["package"])


def checkpoints() -> tuple[Checkpoint, ...]:
    """Every checkpoint, in the file's order."""
    return tuple(checkpoint for package in packages() for checkpoint in package.checkpoints)


def _package(entry: Mapping[str, Any]) -> Package:
    own = {name: value for name, value in entry.items() if name != "checkpoint"}
    found = tuple(_checkpoint(entry["name"], each) for each in entry["checkpoint"])
    return Package(**own, checkpoints=found)


def _checkpoint(package: str, entry: Mapping[str, Any]) -> Checkpoint:
    return Checkpoint(
        id=entry["id"],
        package=package,
        file=File(path=entry["path"], sha256=entry["sha256"], inside=entry.get("inside")),
        beside=tuple(File(**each) for each in entry.get("beside", ())),
    )
