"""``rnndiag sweep``: many checkpoints, one table."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rnndiag.cli import places
from rnndiag.cli.choosing import Chosen, choose
from rnndiag.cli.grouping import GroupedCommand, group, together
from rnndiag.cli.options import CONFIG, CONTEXT, DATA, LAG, POLICY, RUN, output
from rnndiag.cli.writing import complain, write
from rnndiag.errors import BadOption
from rnndiag.registry import names

if TYPE_CHECKING:
    from rnndiag.advising import Case
    from rnndiag.progress import Count
    from rnndiag.records import Row

_LIMIT = 300


def _possible(seconds: float) -> float | None:
    """A limit that can be waited for; None for one that is as good as none."""
    if math.isnan(seconds):
        raise BadOption("--limit nan: no number of seconds", "--limit inf is no limit at all")
    return seconds if seconds <= threading.TIMEOUT_MAX else None


_workers = group("Workers")
_WORKERS = together(
    _workers(
        "-j",
        "--jobs",
        metavar="N",
        type=click.IntRange(min=1),
        help="Processes on this machine. [default: one for each core]",
    ),
    _workers("--dask", metavar="ADDRESS", help="A Dask scheduler, whose workers do it instead."),
    _workers(
        "--limit",
        metavar="SECONDS",
        type=click.FloatRange(min=0, min_open=True),
        default=_LIMIT,
        show_default=True,
        callback=lambda context, option, seconds: _possible(seconds),
        help="A checkpoint that takes longer is ended: one failed row.",
    ),
)
_rows = group("Rows")
_ROWS = together(
    _rows(
        "-o",
        "--rows",
        "folder",
        metavar="DIR",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path(),
        help="Where sweep.jsonl and sweep.csv go. [default: the working folder]",
    ),
    _rows("--resume", is_flag=True, help="Go on: measure only what has no row that still holds."),
)


@click.command(cls=GroupedCommand)
@click.argument("patterns", metavar="PATTERN...", nargs=-1, required=True)
@_WORKERS
@_ROWS
@DATA
@LAG
@CONTEXT
@POLICY
@output(names("rnndiag.outputs.sweeps"), verbose="All rows, not only the worst.")
@RUN
@CONFIG
def sweep(
    patterns: tuple[str, ...],
    jobs: int | None,
    dask: str | None,
    limit: float | None,
    folder: Path,
    resume: bool,
    config: Path | None,
    **parameters: Any,
) -> None:
    """Judge many checkpoints: files, folders, addresses, on this machine or on Dask.

    PATTERN is a file, a pattern in quotes (** for any folders), a folder with all below it,
    @LIST (a file with a pattern on each line; - for stdin), or an address that fsspec knows, such
    as s3://bucket/runs/**/*.pt (pip install 'rnndiag[remote]').

    Each checkpoint is one row of sweep.jsonl and sweep.csv, written when it is done. One that
    cannot be read, takes too long or crashes its process is a failed row. --resume keeps the rows
    whose file, options and rnndiag are the same, and tries the failed ones again.

    With --dask the paths, and files that options name, must lead to the same on each worker.

    Exit status: 0 nothing at or above --fail-on, 1 findings, 2 a file (a failed row), an option or
    rnndiag is at fault, 3 no recurrent layer could be analysed; of all rows the highest.
    """
    from rnndiag import sweeping
    from rnndiag.progress import counter

    if dask is not None and jobs is not None:
        raise BadOption("--jobs beside --dask", "the cluster's workers tell how many they are")
    chosen = choose(config, parameters)
    common = chosen.about()
    place = None if common["output"] == Path("-") else common["output"]
    found = sweeping.find(patterns)
    if place is not None:
        read = places.read(found.files, common, chosen.configuration.source)
        lists = map(Path, found.lists)
        places.check([place], [*read, *lists, *sweeping.places(folder)])
    if dask is not None:
        tell: dict[str, Any] = {} if common["quiet"] else {"tell": complain}
        crew = sweeping.dask(dask, limit, **tell)
    else:
        crew = sweeping.local(min(jobs or sweeping.cores(), len(found.files)), limit)
    with _to_be_resumed(), counter(len(found.files), quiet=common["quiet"]) as count:
        done = sweeping.sweep(
            found, _cases(chosen), crew, folder=folder, resume=resume, hear=_telling(count)
        )
    write(done, common["format_"], place, verbose=common["verbose"], kind="sweeps")
    click.get_current_context().exit(done.exit_code)


def _cases(chosen: Chosen) -> Callable[[str], Case]:
    """What is chosen about each checkpoint; one record for all that the configuration treats alike.

    Raises `BadOption` for values that make no sense.
    """
    from rnndiag.advising import Case

    def case(path: str | None = None) -> Case:
        said = chosen.about(path)
        return Case.of({**said, "thresholds": said["threshold"]})

    common = case()
    # Only a configuration that names checkpoints can say anything of one of them.
    own = chosen.configuration.checkpoints
    return case if own else lambda path: common


def _telling(count: Count) -> Callable[[Sequence[Row]], None]:
    """Say at the bar what was found so far."""
    from rnndiag.records import SEVERITIES

    found: Counter[str] = Counter()

    def hear(rows: Sequence[Row]) -> None:
        for row in rows:
            found[row.severity or ("failed" if row.status != "ok" else "")] += 1
        # A narrow terminal cuts it behind what matters most.
        parts = [f"{found['failed']} failed"] if found["failed"] else []
        parts += [f"{found[own]} with {own}s" for own in SEVERITIES if found[own]]
        count(len(rows), ", ".join(parts))

    return hear


@contextmanager
def _to_be_resumed() -> Iterator[None]:
    """Ctrl-C, with what to do about it."""
    try:
        yield
    except KeyboardInterrupt as error:
        hint = "the same call with --resume keeps the rows that are there"
        raise KeyboardInterrupt(hint) from error
