"""The rows on disk: ``sweep.jsonl`` and ``sweep.csv``, written as they come.

Whatever ends a sweep, what was measured is kept, and ``--resume`` goes on behind it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from rnndiag.checkpoints.base import sha256
from rnndiag.errors import BadOption, RnndiagError
from rnndiag.files import replacing
from rnndiag.outputs.sweeps import csv as csv_lines
from rnndiag.outputs.sweeps.json import row_line
from rnndiag.records import Row, Stamp
from rnndiag.sweeping._tasks import Task, stamped

ROWS, TABLE = "sweep.jsonl", "sweep.csv"
_LOCK = ".sweep.lock"
_ELSEWHERE = "name another folder: -o DIR"
_LATER = "once it can, --resume goes on behind the rows that are there"

Kept = dict[str, dict[str, Any]]
"""A row as JSON has it, by the path that it is about."""


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other sweeps out of a folder until the block or the process ends.

    The folder is made, and removed again where it stays empty. Raises `BadOption` where one is
    at work there, or the folder cannot be written.
    """
    from filelock import FileLock, Timeout  # which workers need not import

    with _writing(folder, _ELSEWHERE):
        made = [place for place in (folder, *folder.parents) if not place.exists()]
        folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        name = "the current folder" if folder == Path() else folder
        told = f"{name}: another sweep writes its rows there"
        raise BadOption(told, f"wait for it; or {_ELSEWHERE}") from error
    except (OSError, NotImplementedError):
        pass  # some file systems have no locks; a folder that cannot be written is told later
    try:
        yield
    finally:
        if lock.is_locked:
            with suppress(OSError):  # Windows keeps a file that is open
                (folder / _LOCK).unlink()
            lock.release()
        with suppress(OSError):  # there is something in it, as a rule
            for place in made:
                place.rmdir()


def places(folder: Path) -> list[Path]:
    """The files of a sweep that keeps its rows in a folder."""
    return [folder / ROWS, folder / TABLE]


class Keeper:
    """Appends rows to both files of a folder."""

    def __init__(self, folder: Path, kept: Kept) -> None:
        """Begin both files, with the rows `kept`; raises `BadOption` where that cannot be."""
        self._files = ExitStack()
        self.place = folder / ROWS
        lines = (json.dumps(row, separators=(",", ":")) + "\n" for row in kept.values())
        _begin(self.place, "".join(lines))
        _begin(folder / TABLE, csv_lines.lines(kept.values()))
        opened = (place.open("a", encoding="utf-8") for place in (self.place, folder / TABLE))
        self._rows, self._table = map(self._files.enter_context, opened)

    def __enter__(self) -> Keeper:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # What found no room before is tried again by `close`.
        with _writing(self.place.parent, _LATER):
            self._files.close()

    def add(self, row: Row) -> None:
        """Write one row, so that it is there even if nothing else happens any more.

        Raises `BadOption` where there is no room for it.
        """
        line = row_line(row)
        with _writing(self.place.parent, _LATER):
            self._rows.write(line)
            self._rows.flush()
            self._table.write(csv_lines.lines([json.loads(line)], heading=False))
            self._table.flush()


@contextmanager
def _writing(folder: Path, hint: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        what = "it is no folder" if isinstance(error, FileExistsError) else error.strerror
        raise BadOption(f"{folder}: the rows cannot be written there: {what}", hint) from error


def _begin(place: Path, text: str) -> None:
    try:
        with replacing(place) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except BadOption as error:
        raise BadOption(error.message, _ELSEWHERE) from error


# ---------------------------------------------------------------- what is there already


def earlier(folder: Path, *, resume: bool) -> Kept:
    """The rows that are there; a last line that was only half written is none.

    Raises `BadOption` where there are rows and nobody asked to go on, and for files with
    something else in them.
    """
    place = folder / ROWS
    if not resume:
        for taken in places(folder):
            if taken.exists():
                hint = f"--resume goes on with it; or {_ELSEWHERE}"
                raise BadOption(f"{taken}: is there already", hint)
        return {}
    try:
        text = place.read_text(encoding="utf-8", errors="replace") if place.exists() else ""
    except OSError as error:
        raise BadOption(f"{place}: cannot be read: {error.strerror}", _ELSEWHERE) from error
    # Behind the last line break there is nothing, or what was cut off when all ended.
    whole = text.split("\n")[:-1]
    rows = [_parsed(place, number, line) for number, line in enumerate(whole, 1) if line.strip()]
    return {row["path"]: row for row in rows}


def _parsed(place: Path, number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict) or not isinstance(row.get("path"), str):
        raise BadOption(f"{place}: line {number} is no row of a sweep", _ELSEWHERE)
    return row


def still_true(rows: Kept, tasks: Iterable[Task]) -> dict[str, Row]:
    """Those rows that would come out the same: by path.

    The file has not changed, by its size and its time or by its content; the options and
    rnndiag's version are the same; and it did not fail.
    """
    found = {}
    for task in tasks:
        row = _row(rows.get(task.path))
        # What cannot be asked any more is one more row that says so.
        with suppress(RnndiagError, OSError):
            if row is not None and row.status == "ok" and _same(row, task):
                found[task.path] = row
    return found


def _row(data: Mapping[str, Any] | None) -> Row | None:
    """A record; None where another version has written the row, or its path is no text."""
    try:
        return None if data is None else msgspec.convert(data, Row)
    except (msgspec.ValidationError, UnicodeEncodeError):
        return None


def _same(row: Row, task: Task) -> bool:
    now = stamped(task)
    if (row.stamp.version, row.stamp.options) != (now.version, now.options):
        return False
    if now.modified is None or row.stamp.bytes != now.bytes:
        return False
    return row.stamp.modified == now.modified or _same_content(row, task, now)


def _same_content(row: Row, task: Task, now: Stamp) -> bool:
    """Whether a file was only copied or touched since."""
    path = Path(task.place)
    return path.is_file() and row.sha256 == sha256(path)
