"""One checkpoint of a sweep, from its name to its row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from stat import S_ISREG
from time import perf_counter
from typing import Any

from rnndiag import __version__, advising, pipeline
from rnndiag.advising import Case
from rnndiag.errors import BadOption, RnndiagError
from rnndiag.records import Report, Row, Stamp
from rnndiag.sweeping import _addresses, _rows

Measure = Callable[["Task"], Row]
"""What is done to each checkpoint; a function of a module, so that other processes find it."""

_FILES = (
    ("options", "probe"),
    ("options", "targets"),
    ("options", "architecture"),
    ("evidence", "history"),
    ("evidence", "context"),
    ("evidence", "trials"),
    ("evidence", "baseline"),
)
"""Where a case names a file."""
_JUDGES: dict[str, Callable[[Report], Report]] = {}
"""What judges, by the digest of the case: its files are read once in each process."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One checkpoint, and all that it takes to measure it anywhere."""

    path: str
    """As it is told."""
    place: str
    """The same from any folder: an absolute path or an address."""
    case: Case
    digest: str
    """Of the case and the files that it names."""


def tasks(paths: Sequence[str], choose: Callable[[str], Case]) -> list[Task]:
    """A task for each path; what is chosen is checked before any work.

    Raises `rnndiag.errors.RnndiagError` for evidence and options that cannot be used.
    """
    prepared: dict[int, dict[str, Any]] = {}
    cases = [choose(path) for path in paths]
    # By identity: most often all paths share one case, which is then read and hashed once.
    for case in cases:
        if id(case) not in prepared:
            advising.judge_of(case)
            prepared[id(case)] = {"case": _absolute(case), "digest": digest(case)}
    return [
        Task(path=path, place=_place(path), **prepared[id(case)])
        for path, case in zip(paths, cases, strict=True)
    ]


def digest(case: Case) -> str:
    """What tells one case from another: all that is chosen, and what is in the files it names.

    Raises `BadOption` where one of them cannot be read.
    """
    said = asdict(case)
    for part, name in _FILES:
        if said[part][name] is not None:
            said[part][name] = _content(Path(said[part][name]), name)
    code = Path((case.options.model or "").rpartition(":")[0])
    if code.suffix == ".py":
        said["code"] = _content(code, "model")
    text = json.dumps(said, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _content(path: Path, name: str) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        told = f"--{name} {path}: cannot be read: {error.strerror}"
        raise BadOption(told, f"check the path after --{name}") from error


def _absolute(case: Case) -> Case:
    """The case for processes that run in other folders."""
    for part, name in _FILES:
        record: Any = getattr(case, part)
        file = getattr(record, name)
        if file is not None:
            moved = replace(record, **{name: str(Path(file).absolute())})
            case = replace(case, **{part: moved})
    return case


def _place(path: str) -> str:
    return path if _addresses.is_address(path) else str(Path(path).absolute())


# ---------------------------------------------------------------- in a worker


def measure(task: Task) -> Row:
    """The row of one checkpoint, whatever comes of it: nothing that goes wrong is raised."""
    started = perf_counter()
    stamp = Stamp(version=__version__, options=task.digest)
    try:
        stamp = stamped(task)
        report = _judged(task)
    except RnndiagError as error:
        told = error.message, error.hint
    except Exception as error:  # one file that breaks rnndiag must not end the others' sweep
        told = f"internal error: {type(error).__name__}: {error}", "please report it"
    else:
        return _rows.of_report(task.path, stamp, report, perf_counter() - started)
    return _rows.of_failure(task.path, stamp, "failed", told, perf_counter() - started)


def stamped(task: Task) -> Stamp:
    """What tells whether a row still holds; raises where an address cannot be asked."""
    stamp = Stamp(version=__version__, options=task.digest)
    if _addresses.is_address(task.place):
        size, modified = _addresses.changed(task.place)
        return replace(stamp, bytes=size, modified=modified)
    try:
        found = Path(task.place).stat()
    except OSError:  # a file in an archive has none; and why none can be read is told by who reads
        return stamp
    if not S_ISREG(found.st_mode):
        return stamp  # a folder's time says nothing of its files
    return replace(stamp, bytes=found.st_size, modified=str(found.st_mtime_ns))


def _judged(task: Task) -> Report:
    if task.digest not in _JUDGES:
        _JUDGES[task.digest] = advising.judge_of(task.case)
    with _local(task) as path, _named(path, task.path):
        report = pipeline.diagnose(path, task.case.options)
    file = replace(report.checkpoint, path=task.path)
    return _JUDGES[task.digest](replace(report, checkpoint=file))


@contextmanager
def _local(task: Task) -> Iterator[str]:
    """The checkpoint as a file of this machine; what lies elsewhere for the moment only."""
    if not _addresses.is_address(task.place):
        yield task.place
        return
    with _addresses.fetched(task.place) as copy:
        yield str(copy)


@contextmanager
def _named(place: str, path: str) -> Iterator[None]:
    """Errors that call the file as the user did."""
    try:
        yield
    except RnndiagError as error:
        # What cannot be found in an archive, or the archive itself.
        archive, own = (name.partition("::")[0] for name in (place, path))
        told = (text.replace(place, path) for text in (error.message, error.hint))
        texts = (text.replace(archive, own) for text in told)
        raise type(error)(*texts) from error


def warm_up(_: object = None) -> None:
    """Import what every checkpoint needs, so that the first one's time is its own."""
    from rnndiag import (  # noqa: F401
        checkpoints,
        losses,
        measurements,
        probe,
        registry,
        reporting,
        updates,
    )
    from rnndiag.running import execution  # noqa: F401

    for package in ("checkpoints", "measurements", "rules"):
        registry.modules(f"rnndiag.{package}")
