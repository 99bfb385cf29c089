"""The whole story of a sweep: many checkpoints, and one small row for each.

    find the files → prepare a task for each → leave out what is measured already
        → hand the others to a crew → keep each row as it comes

A crew is an executor: processes of this machine, or a Dask cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from time import perf_counter

from rnndiag.advising import Case
from rnndiag.records import Row, Sweep
from rnndiag.sweeping import _keeping, _tasks
from rnndiag.sweeping._crews import Crew, cores, dask, local
from rnndiag.sweeping._finding import Found, find
from rnndiag.sweeping._keeping import Keeper, Kept, places
from rnndiag.sweeping._tasks import Task

__all__ = ["Crew", "cores", "dask", "find", "local", "places", "sweep"]

Hear = Callable[[Sequence[Row]], None]
"""Is told the rows that were there already, if any, then each one when it has come."""


def sweep(
    found: Found,
    choose: Callable[[str], Case],
    crew: AbstractContextManager[Crew],
    *,
    folder: Path | None = None,
    resume: bool = False,
    hear: Hear = lambda rows: None,
) -> Sweep:
    """The rows of all files, one each; a checkpoint that cannot be diagnosed is a row, too.

    With a `folder`, rows are kept there as they come, and with `resume` those that are there and
    still hold are not measured again. Raises `rnndiag.errors.RnndiagError` where nothing can be
    begun at all: an option that makes no sense, a folder that cannot be written, or where another
    sweep is at work.
    """
    started = perf_counter()
    tasks = _tasks.tasks(found.files, choose)
    with nullcontext() if folder is None else _keeping.alone(folder):
        before = _keeping.earlier(folder, resume=resume) if folder is not None else {}
        # Only now: a sweep that is refused must not trouble a cluster.
        with crew as workers:
            rows, resumed = _gathered(tasks, before, workers, folder, hear)
    return Sweep(
        rows=tuple(rows[path] for path in found.files),
        seconds=perf_counter() - started,
        resumed=resumed,
        place=str(folder / _keeping.ROWS) if folder is not None else None,
        notes=found.notes,
    )


def _gathered(
    tasks: Sequence[Task],
    before: Kept,
    workers: Crew,
    folder: Path | None,
    hear: Hear,
) -> tuple[dict[str, Row], int]:
    """All rows by their path, and how many of them were there already."""
    rows = _keeping.still_true(before, tasks)
    resumed = len(rows)
    left = [task for task in tasks if task.path not in rows]
    for task in left:
        before.pop(task.path, None)
    if rows:
        hear([*rows.values()])
    with _keeper(folder, before) as kept:
        for row in workers.rows(left):
            if kept is not None:
                kept.add(row)
            rows[row.path] = row
            hear([row])
    return rows, resumed


def _keeper(folder: Path | None, before: Kept) -> AbstractContextManager[Keeper | None]:
    return nullcontext() if folder is None else Keeper(folder, before)
