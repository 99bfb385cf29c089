"""Which checkpoints a sweep is about: patterns, folders, lists and addresses become files."""

from __future__ import annotations

import glob
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rnndiag.errors import BadOption
from rnndiag.evidence.files import matching, natural
from rnndiag.sweeping import _addresses
from rnndiag.wording import counted

SUFFIXES = (
    *(".pt", ".pth", ".ckpt", ".bin", ".th", ".t7", ".tar", ".jit", ".ptl"),
    *(".h5", ".hdf5", ".keras", ".safetensors"),
    *(".index.json", ".weights.json"),
)
"""How files end that are taken out of a folder; what is named one by one may end otherwise."""
_FOLDER_MARK = ".metadata"
"""A folder with this file is one checkpoint, of torch.distributed."""
_SHARD = re.compile(r"(?P<stem>.+)-\d{5}-of-\d{5}\.\w+")
_STDIN = "-"
_LIST = "@"
_IN_ARCHIVE = "::"
_KINDS_SHOWN = 4


@dataclass(frozen=True, kw_only=True)
class Found:
    """The files of a sweep, each once, and what is to be said of those that are left out."""

    files: tuple[str, ...]
    notes: tuple[str, ...]
    lists: tuple[str, ...] = ()
    """The files that named some of them."""


def find(patterns: Sequence[str]) -> Found:
    """The checkpoints that `patterns` stand for, in their order; within each by natural order.

    A pattern is a file, a folder (with all below it), a glob pattern, ``@LIST`` or a ``.txt``
    (one pattern a line, ``-`` for stdin), or an address. Raises `BadOption` where one leads to
    nothing, and where no package is there for a kind of address; a file that only a list names
    may be missing.
    """
    left_out: Counter[str] = Counter()
    found: dict[str, str] = {}
    for pattern in patterns:
        for file in _expanded(pattern, left_out):
            found.setdefault(_identity(file), file)
    if not found:
        named = ["stdin" if own == _STDIN else own for own in patterns]
        told = f"{', '.join(named)}: no checkpoint is there"
        raise BadOption(told, "; ".join(_notes(left_out)) or "name files, a folder, or a pattern")
    _addresses.check(filter(_addresses.is_address, found.values()))
    lists = tuple(str(own) for own in map(_list, patterns) if own is not None)
    return Found(files=tuple(found.values()), notes=tuple(_notes(left_out)), lists=lists)


def _identity(file: str) -> str:
    return file if _addresses.is_address(file) else os.path.realpath(file)


def _expanded(pattern: str, left_out: Counter[str]) -> Iterator[str]:
    lines = _lines(pattern)
    if lines is None:
        yield from _named(pattern, left_out)
        return
    for line in lines:
        # One of ten thousand that has gone since is one row that says so.
        is_plain = not glob.has_magic(line) and not _is(Path.is_dir, line)
        yield from [line] if is_plain else _named(line, left_out)


def _is(kind: Callable[[Path], bool], place: str) -> bool:
    try:
        return kind(Path(place))
    except OSError:  # it may not be looked at, or its name is too long
        return False


def _lines(pattern: str) -> list[str] | None:
    """What a list names, comments and empty lines apart; None where the pattern is no list."""
    if pattern == _STDIN:
        return _meant(sys.stdin)
    path = _list(pattern)
    if path is None:
        return None
    try:
        with path.open(encoding="utf-8") as file:
            return _meant(file)
    except (OSError, UnicodeDecodeError) as error:
        what = getattr(error, "strerror", None) or "it is no text"
        hint = "a list is a text file with one path, pattern or address on each line"
        raise BadOption(f"{path}: the list cannot be read: {what}", hint) from error


def _list(pattern: str) -> Path | None:
    is_text = pattern.endswith(".txt") and _is(Path.is_file, pattern)
    is_list = pattern.startswith(_LIST) or is_text
    return Path(pattern.removeprefix(_LIST)) if is_list else None


def _meant(lines: Iterable[str]) -> list[str]:
    texts = (line.strip() for line in lines)
    return [text for text in texts if text and not text.startswith("#")]


def _named(pattern: str, left_out: Counter[str]) -> list[str]:
    if _addresses.is_address(pattern):
        return _elsewhere(pattern, left_out)
    path = Path(pattern)
    try:
        if path.is_dir() and not (path / _FOLDER_MARK).is_file():
            return sorted(_below(path, left_out), key=_natural)
        if _IN_ARCHIVE in pattern or path.exists():
            return [pattern]
        found = sorted(map(str, matching(pattern)), key=_natural)
    except OSError as error:
        hint = "check the path, and that you may read it"
        raise BadOption(f"{pattern}: cannot be read: {error.strerror}", hint) from error
    if not found:
        hint = "name checkpoints, a folder, a pattern in quotes, or @LIST"
        raise BadOption(f"{pattern}: no files there", hint)
    return found


def _natural(file: str) -> list[tuple[int, str]]:
    return natural(Path(file))


# ---------------------------------------------------------------- folders


def _below(folder: Path, left_out: Counter[str]) -> Iterator[str]:
    """The checkpoints in a folder and below it; hidden ones and links to folders apart."""
    for place, folders, names in os.walk(folder):
        if _FOLDER_MARK in names:
            folders.clear()
            yield place
            continue
        folders[:] = [name for name in folders if not name.startswith(".")]
        plain = [name for name in names if not name.startswith(".")]
        yield from (str(Path(place) / name) for name in _usual(plain, left_out))


def _elsewhere(address: str, left_out: Counter[str]) -> list[str]:
    """The files of an address; of a folder there those that are called as checkpoints are."""
    pattern = _addresses.is_pattern(address)
    if address.partition("?")[0].endswith(SUFFIXES) and not pattern:
        # To ask whether it is a folder, some kinds of place would read the whole file.
        return [address]
    files = _addresses.resolved(address)
    if pattern:
        return files
    folders: dict[str, list[str]] = {}
    for file in files:
        head, _, name = file.rpartition("/")
        folders.setdefault(head, []).append(name)
    usual = {head: _usual(names, left_out) for head, names in folders.items()}
    return sorted((f"{head}/{name}" for head in usual for name in usual[head]), key=_natural)


def _usual(names: Sequence[str], left_out: Counter[str]) -> list[str]:
    """Those names in one folder that end as checkpoints do; shards stand for their index."""
    indexed = {name.partition(".")[0] for name in names if name.endswith(".index.json")}
    found = []
    for name in names:
        shard = _SHARD.fullmatch(name)
        if shard is not None and shard["stem"] in indexed:
            continue
        if name.endswith(SUFFIXES):
            found.append(name)
        else:
            left_out[PurePosixPath(name).suffix or "no ending"] += 1
    return found


def _notes(left_out: Counter[str]) -> Iterator[str]:
    if left_out:
        kinds = [f"{kind} {count}" for kind, count in left_out.most_common(_KINDS_SHOWN)]
        more = ", …" if len(left_out) > _KINDS_SHOWN else ""
        files = counted(left_out.total(), "file")
        be = "is" if left_out.total() == 1 else "are"
        what = f"{files} in folders {be} not named as checkpoints are ({', '.join(kinds)}{more})"
        yield f"{what}: a pattern takes them in"
