"""Checkpoints inside archives: ``weights.tar.gz::model/weights.pt`` names one file in one.

The file is unpacked to a folder of rnndiag's own, which is removed when the process ends. What
it is called in the archive decides nothing about where it goes.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path, PurePosixPath

from rnndiag import memory
from rnndiag.checkpoints._archives import zip_members
from rnndiag.checkpoints._archives.tar_members import TarStream, TooLong
from rnndiag.checkpoints._archives.zip_members import leads_out
from rnndiag.checkpoints.base import BROKEN_ZIP, damaged
from rnndiag.errors import RnndiagError, UnreadableCheckpoint, UnsafeCheckpoint

_SEPARATOR = "::"
_SMALL = 256 << 20
"""Bytes that may be unpacked however small the archive is."""
_MOST_COMPRESSION = 100
"""How many times more may be unpacked than the archive has; trained weights hardly shrink."""
_MOST_LISTED = 10_000
_CHUNK = 1 << 20
_SHOWN = 4
"""Files that a hint names."""
_LONGEST_SHOWN = 200
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
"""Bit of a zip member's flags."""
_LINK = 0o12
"""Unix's type of file in a zip member's attributes."""


def place(path: Path) -> Path:
    """Where the file lies: at `path`, or where it was unpacked to out of an archive.

    Raises `UnsafeCheckpoint` where the name leads out of the archive, is a link's, or the
    archive unpacks to very much, and `UnreadableCheckpoint` where it has no such file.
    """
    before, separator, member = str(path).partition(_SEPARATOR)
    if not separator or path.exists():
        return path
    archive = Path(before)
    if not archive.is_file():
        raise UnreadableCheckpoint(f"{archive}: no such archive", "check the path before '::'")
    if leads_out(member):
        raise UnsafeCheckpoint(f"{archive}: {member!r} leads out of the archive", _AS_LISTED)
    try:
        return _unpacked(archive, member)
    except TooLong:
        raise UnsafeCheckpoint(
            f"{archive}: unpacks to more than {_most(archive) >> 20} MiB",
            "unpack it yourself if you trust it, and name the file",
        ) from None
    except BROKEN_ZIP as error:
        what = str(error).partition("\n")[0] or type(error).__name__
        raise damaged(archive, f"unpacking it says {what}") from error


def as_named(error: RnndiagError, place: Path, path: Path) -> RnndiagError:
    """The same error, about the file as the user named it."""
    named = [text.replace(str(place), str(path)) for text in (error.message, error.hint)]
    return type(error)(*named)


def hint(path: Path) -> str:
    """How to name a file in `path`; empty where it is no archive."""
    try:
        names = list(islice(_names(path), _SHOWN + 1))
    except (TooLong, *BROKEN_ZIP):
        return ""
    if not names:
        return ""
    listed = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    return f"name one file in the archive: {path}{_SEPARATOR}{names[0]}; it holds {listed}"


_AS_LISTED = "name a file as the archive lists it"


def _most(archive: Path) -> int:
    """Bytes that may be unpacked of an archive."""
    return max(_SMALL, _MOST_COMPRESSION * archive.stat().st_size)


def _names(archive: Path) -> Iterator[str]:
    """The regular files that can be named, as far as they are listed; not their contents."""
    if _is_zip(archive):
        with zip_members.opened(archive) as members:
            names = [info.filename for info in members.infolist() if _is_regular(info)]
    else:
        with TarStream(archive, _SMALL) as stream:
            listed = islice(stream, _MOST_LISTED)
            names = [member.name for member in listed if member.regular]
    plain = (name for name in names if name.isprintable() and len(name) <= _LONGEST_SHOWN)
    yield from (name for name in plain if not leads_out(name))


def _is_zip(archive: Path) -> bool:
    """Whether it begins as one: a tar archive may end with a zip file that it holds."""
    with archive.open("rb") as file:
        return file.read(2) == b"PK"


def _unpacked(archive: Path, member: str) -> Path:
    """A copy of the member, under its last name, in a folder of its own."""
    folder = Path(tempfile.mkdtemp(dir=_folder()))
    copy = folder / (PurePosixPath(member).name or "checkpoint")
    reads = _zip_content if _is_zip(archive) else _tar_content
    try:
        with copy.open("wb") as file:
            file.writelines(reads(archive, member))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return copy


def _tar_content(archive: Path, member: str) -> Iterator[bytes]:
    with TarStream(archive, _most(archive)) as stream:
        for found in stream:
            if found.name.removeprefix("./") == member.removeprefix("./"):
                _check_regular(archive, member, regular=found.regular)
                _check_size(archive, member, found.size)
                yield from stream.content()
                return
    raise _missing(archive, member)


def _zip_content(archive: Path, member: str) -> Iterator[bytes]:
    with zip_members.opened(archive) as members:
        found = [info for info in members.infolist() if info.filename == member]
        if not found:
            raise _missing(archive, member)
        if len(found) > 1:
            raise UnsafeCheckpoint(f"{archive}: it holds {member!r} twice", _AS_LISTED)
        _check_regular(archive, member, regular=_is_regular(found[0]))
        _check_size(archive, member, found[0].file_size)
        left = _most(archive)
        with members.open(found[0]) as content:
            # Piece by piece: a stream may unpack to more than its header admits.
            while piece := content.read(_CHUNK):
                left -= len(piece)
                if left < 0:
                    raise TooLong
                yield piece


def _is_regular(info: zipfile.ZipInfo) -> bool:
    """Whether a zip member is a file that can be read here: no folder, link or secret."""
    plain = info.compress_type in _METHODS and not info.flag_bits & _ENCRYPTED
    # Folders end with a slash; ZipInfo.is_dir fails on an empty name.
    is_file = bool(info.filename) and not info.filename.endswith("/")
    return plain and is_file and info.external_attr >> 28 != _LINK


def _check_regular(archive: Path, member: str, *, regular: bool) -> None:
    if not regular:
        raise UnsafeCheckpoint(
            f"{archive}: {member!r} is no regular file: a link, a folder, or encrypted", _AS_LISTED
        )


def _check_size(archive: Path, member: str, size: int) -> None:
    # The folder for it may well lie in memory, and what is read from it will. Of more than
    # the archive can hold, unpacking it tells.
    memory.check(min(size, _most(archive)), f"unpacking {member!r}")


def _missing(archive: Path, member: str) -> UnreadableCheckpoint:
    return UnreadableCheckpoint(f"{archive}: has no file {member!r}", hint(archive) or _AS_LISTED)


@cache
def _folder() -> Path:
    """A folder that is removed when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="rnndiag-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
