"""Checkpoints that lie elsewhere: ``s3://``, ``gs://``, ``https://`` and all that fsspec knows.

fsspec and what it takes for a kind of address are no part of rnndiag: ``rnndiag[remote]``.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from rnndiag.errors import BadOption, UnreadableCheckpoint

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*(::[a-z][a-z0-9+.-]*)*://", re.IGNORECASE)
_KIND = re.compile(r"(?:^|::)([a-z][a-z0-9+.-]*)(?=::|://)", re.IGNORECASE)
"""One in an address, which may have several: ``zip://x.pt::s3://bucket/a.zip``."""
_CHANGES = ("ETag", "etag", "mtime", "LastModified", "last_modified", "updated", "created")
"""What file systems call the time of the last change, or a digest of the content."""
_PIECE = 1 << 20


def is_address(path: str) -> bool:
    """Whether a path names another file system than the machine's own."""
    return _ADDRESS.match(path) is not None


def is_pattern(address: str) -> bool:
    """Whether an address stands for several; signed ones have a question mark in them."""
    return "*" in address


def resolved(address: str) -> list[str]:
    """The files that an address stands for, sorted: a pattern, all below a folder, or itself.

    None where nothing is there.
    Raises `BadOption` where fsspec is missing, or the place cannot be listed.
    """
    with _told(address, BadOption):
        system, path = _opened(address)
        if is_pattern(path):
            found = [name for name in system.glob(path) if not system.isdir(name)]
        elif system.isdir(path):
            found = system.find(path)
        else:
            found = [path] if system.exists(path) else []
        return sorted(str(system.unstrip_protocol(name)) for name in found)


def check(addresses: Iterable[str]) -> None:
    """Raise `BadOption` where something is not installed that it takes for one of them."""
    kinds = {kind.lower(): own for own in addresses for kind in _KIND.findall(own)}
    for kind, address in kinds.items():
        with _told(address, BadOption):
            from fsspec import get_filesystem_class

            get_filesystem_class(kind)


def changed(address: str) -> tuple[int | None, str | None]:
    """The bytes of a file, and what says when it was changed, as far as its place tells."""
    with _told(address, UnreadableCheckpoint):
        system, path = _opened(address)
        info = system.info(path)
    marks = [str(info[name]) for name in _CHANGES if info.get(name) is not None]
    return info.get("size"), marks[0] if marks else None


@contextmanager
def fetched(address: str) -> Iterator[Path]:
    """A copy of the file under its own name, for as long as it is used.

    Raises `UnreadableCheckpoint`, and `BadOption` where fsspec is missing.
    """
    with tempfile.TemporaryDirectory(prefix="rnndiag-") as folder:
        copy = Path(folder) / (PurePosixPath(address).name or "checkpoint")
        with _told(address, UnreadableCheckpoint):
            system, path = _opened(address)
            with system.open(path, "rb") as source, copy.open("wb") as target:
                shutil.copyfileobj(source, target, _PIECE)
        yield copy


def _opened(address: str) -> tuple[AbstractFileSystem, str]:
    from fsspec.core import url_to_fs

    # fsspec does not know them in capitals.
    system, path = url_to_fs(_KIND.sub(lambda kind: kind[0].lower(), address))
    return system, str(path)


@contextmanager
def _told(address: str, kind: type[BadOption] | type[UnreadableCheckpoint]) -> Iterator[None]:
    """Whatever fsspec and the libraries below it raise, as one error about the address."""
    try:
        yield
    except ImportError as error:
        raise BadOption(f"{address}: {_missing(error)}", _how_to_install(error)) from error
    except FileNotFoundError as error:
        raise kind(f"{address}: no such file", "check the address") from error
    except Exception as error:  # each file system has errors of its own
        what = ": ".join(filter(None, (type(error).__name__, str(error).partition("\n")[0])))
        hint = "check the address, and that this machine may read it"
        raise kind(f"{address}: cannot be read: {what}", hint) from error


def _missing(error: ImportError) -> str:
    return "fsspec is not installed" if error.name == "fsspec" else f"fsspec says: {error}"


def _how_to_install(error: ImportError) -> str:
    if error.name == "fsspec":
        return "pip install 'rnndiag[remote]', and what fsspec needs for such addresses"
    missing = getattr(error.__cause__, "name", None)
    return f"pip install {missing}" if missing else "install the package that fsspec names"
