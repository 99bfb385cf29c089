"""A folder that appears whole or not at all, and only ever takes the place of its own kind."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rnndiag.errors import BadOption
from rnndiag.files import make_usual
from rnndiag.printable import first_of

MANIFEST = ".rnndiag-report.json"
"""Names the files of a report folder: what is not in it is somebody else's."""
_ELSEWHERE = "choose another folder: -o DIR"
_WITHIN = "name a folder in it: -o DIR/report"
_SHOWN = 3
_NAME = 40
"""Letters of the folder's name that the temporary one repeats: names end at 255 bytes."""


@dataclass(frozen=True, kw_only=True)
class About:
    """What a report folder is about, as its manifest tells."""

    kind: str
    """The command that wrote it: ``report``, ``compare`` or ``track``."""
    subject: str
    """The checkpoint's name, both names, or that of the run's folder."""


def check_replaceable(
    folder: Path, *, force: bool, read: Iterable[str | Path] = (), kind: str | None = None
) -> None:
    """Raise `BadOption` before the work, where the folder could not be made or replaced.

    A folder that is there is replaced if it is empty or nothing but an earlier report of the
    same `kind`; with `force` whatever is in it, unless that is among the files that are `read`.
    """
    try:
        _check_place(folder)
        _check_read(folder, read)
        if folder.is_dir() and not force:
            _check_own(folder, kind)
        with _sibling(folder):
            pass
    except (OSError, ValueError) as error:  # of a name that no file may have, either of them
        raise _unwritable(folder, error) from error


@contextmanager
def replacing(folder: Path, about: About | None = None, *, force: bool = False) -> Iterator[Path]:
    """An empty sibling of `folder`, which takes its place if all goes well; it is `about` that.

    Whatever happens on the way, the old one stands. Raises `BadOption` where it cannot be
    written, or where by now there is more in it than an earlier report.
    """
    try:
        with _sibling(folder) as made:
            yield made
            _write_manifest(made, about)
            _check_place(folder)
            if folder.is_dir() and not force:
                _check_own(folder, None if about is None else about.kind)
            _exchange(made, folder) if folder.exists() else made.rename(folder)
    except OSError as error:
        raise _unwritable(folder, error) from error


def standing(folder: Path) -> About | None:
    """What the report is about that stands there; None where there is none that tells."""
    data = _manifest(folder)
    told = data.get("about") if data else None
    if not isinstance(told, dict):
        return None
    return About(kind=str(told.get("kind", "")), subject=str(told.get("subject", "")))


def _unwritable(folder: Path, error: OSError | ValueError) -> BadOption:
    why = getattr(error, "strerror", None) or error
    return BadOption(f"{folder}: cannot be written: {why}", _ELSEWHERE)


# ---------------------------------------------------------------- whose folder it is


def _check_place(folder: Path) -> None:
    """What nothing may take the place of, whoever asks for it."""
    if folder.is_symlink():
        raise BadOption(f"{folder}: is a link, and would be replaced", "name what it points to")
    if folder.exists() and not folder.is_dir():
        raise BadOption(f"{folder}: is there already, and no folder", _ELSEWHERE)
    if folder.is_dir() and Path.cwd().is_relative_to(folder.resolve()):
        # The shell would be left standing in a folder that is gone.
        raise BadOption(f"{folder}: is where you are, and would be replaced", _WITHIN)
    if folder.is_mount():
        raise BadOption(f"{folder}: is a disk of its own, and cannot be replaced", _WITHIN)


def _check_read(folder: Path, read: Iterable[str | Path]) -> None:
    for file in map(Path, read):
        # A link may lie in the folder that is deleted, and what it leads to elsewhere.
        places = (file.resolve(), file.parent.resolve() / file.name)
        if folder.is_dir() and any(own.is_relative_to(folder.resolve()) for own in places):
            raise BadOption(f"{folder}: holds {file}, which would be deleted", _WITHIN)


def _check_own(folder: Path, kind: str | None) -> None:
    held = _held(folder)
    if not held:
        return
    data = _manifest(folder)
    if data is None:
        hint = f"{_ELSEWHERE}, or --force, which deletes what is in it"
        raise BadOption(f"{folder}: is there already, and is no report of rnndiag's", hint)
    others = sorted(held - set(data["files"]) - {MANIFEST})
    if others:
        raise BadOption(
            f"{folder}: holds what is no part of the report: {first_of(others, _SHOWN)}",
            "move it elsewhere, or --force, which deletes it",
        )
    earlier = standing(folder)
    if kind is not None and earlier is not None and earlier.kind != kind:
        raise BadOption(
            f"{folder}: holds what `rnndiag {earlier.kind}` wrote on {earlier.subject}",
            f"{_ELSEWHERE}, or --force, which replaces it",
        )


def _manifest(folder: Path) -> dict[str, Any] | None:
    """The files of the report that stands there, and its subject; None where there is none."""
    try:
        data = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(data, dict) or not isinstance(data.get("files"), list):
        return None
    return data if all(isinstance(name, str) for name in data["files"]) else None


def _held(folder: Path) -> set[str]:
    """All that is no folder; a link is somebody's, wherever it points."""
    every = (own for own in folder.rglob("*") if own.is_symlink() or not own.is_dir())
    return {own.relative_to(folder).as_posix() for own in every}


def _write_manifest(folder: Path, about: About | None) -> None:
    told = {} if about is None else {"about": asdict(about)}
    text = json.dumps({**told, "files": sorted(_held(folder))}, indent=1)
    (folder / MANIFEST).write_text(text, encoding="utf-8")


# ---------------------------------------------------------------- making and moving


@contextmanager
def _sibling(folder: Path) -> Iterator[Path]:
    """An empty folder beside `folder`; gone afterwards, unless it was moved."""
    parent = folder.absolute().parent
    parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=parent, prefix=f".{folder.name[:_NAME]}."))
    try:
        make_usual(made, 0o777)
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _exchange(new: Path, old: Path) -> None:
    """Let two folders trade places: in one step where the system can, else in two."""
    if _exchanged_at_once(new, old):
        return
    aside = new.with_name(f"{new.name}.old")
    old.rename(aside)
    try:
        new.rename(old)
    except BaseException:  # an interrupt, too, must not leave the place empty
        aside.rename(old)
        raise
    aside.rename(new)


_RENAME_EXCHANGE = 2
_AT_FDCWD = -100


def _exchanged_at_once(new: Path, old: Path) -> bool:
    """Linux's renameat2: there is no moment at which neither stands, whoever pulls the plug."""
    if not sys.platform.startswith("linux"):
        return False
    renameat2 = getattr(ctypes.CDLL(None), "renameat2", None)
    if renameat2 is None:
        return False
    here, there = os.fsencode(new.absolute()), os.fsencode(old.absolute())
    return bool(renameat2(_AT_FDCWD, here, _AT_FDCWD, there, _RENAME_EXCHANGE) == 0)
