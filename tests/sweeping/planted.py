"""What tests have workers do in the place of measuring: crash, hang, wait, tell who they are."""

from __future__ import annotations

import ctypes
import os
import time
from pathlib import Path

from rnndiag.records import Row, Stamp
from rnndiag.sweeping._tasks import Task


def row(task: Task, **changes: object) -> Row:
    fields = {"status": "ok", "exit_code": 0, "seconds": 0.0, "layers": 1, **changes}
    stamp = Stamp(version="1", options=task.digest)
    return Row(path=task.path, stamp=stamp, **fields)  # type: ignore[arg-type]


def nothing(_: object) -> None:
    """In the place of importing torch."""


def by_name(task: Task) -> Row:
    """The file's name says what becomes of it."""
    what = Path(task.place).stem.partition("-")[0]
    if what == "segfault":
        ctypes.string_at(0)
    if what == "exit":
        os._exit(7)
    if what == "system":
        raise SystemExit(3)
    if what == "raise":
        raise ZeroDivisionError
    if what == "hang":
        while True:
            time.sleep(60)
    if what == "slow":
        time.sleep(0.2)
    if what == "print":
        print("to stdout")
        os.write(1, b"to the pipe")
    return row(task, message=str(os.getpid()))


def waiting(task: Task) -> Row:
    """Long enough for a cluster to be disturbed."""
    time.sleep(0.05)
    return row(task)
