"""Files that appear whole or not at all, and never in the place of an input."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rnndiag.errors import BadOption


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary sibling of `path`, which takes its place if all goes well.

    Raises `BadOption` where it cannot be written.
    """
    try:
        if _is_device(path):
            yield path
            return
        with _sibling(path) as temporary:
            yield temporary
            temporary.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error


def check_writable(places: Sequence[Path], inputs: Sequence[Path]) -> None:
    """Raise `BadOption` before the work, where one of the `places` could not be written.

    No place may be one of the `inputs`, nor stand twice.
    """
    taken = [*inputs]
    for place in places:
        if any(_same(place, other) for other in taken) and not _is_device(place):
            raise BadOption(f"{place}: is used already, and would be overwritten", _ELSEWHERE)
        try:
            if place.is_dir():
                raise IsADirectoryError(None, "it is a directory")
            if not _is_device(place):
                with _sibling(place):
                    pass
        except OSError as error:
            raise _unwritable(place, error) from error
        taken.append(place)


_ELSEWHERE = "choose another place"


def _unwritable(path: Path, error: OSError) -> BadOption:
    return BadOption(f"{path}: cannot be written: {error.strerror or error}", _ELSEWHERE)


def _is_device(path: Path) -> bool:
    """Whether `path` is a terminal, a pipe or /dev/null: nothing that can be replaced."""
    return path.exists() and not path.is_file() and not path.is_dir()


def _same(path: Path, other: Path) -> bool:
    if path.exists() and other.exists():
        return path.samefile(other)
    return path.absolute() == other.absolute()


@contextmanager
def _sibling(path: Path) -> Iterator[Path]:
    """An empty file beside `path`; gone afterwards, unless it was moved."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    temporary = Path(name)
    try:
        make_usual(temporary, 0o666)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def make_usual(made: Path, most: int) -> None:
    """Give it the permissions `most`, but for those that the user's umask takes.

    `tempfile` makes what is private; what a user asks for is as private as all else.
    """
    umask = os.umask(0)
    os.umask(umask)
    made.chmod(most & ~umask)
