"""Where a command reads and writes: nothing that is read may be written over, or deleted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnndiag.cli.writing import complain
from rnndiag.errors import BadOption

if TYPE_CHECKING:
    from rnndiag.publishing.folders import About

_FILES = ("probe", "targets", "architecture", "history", "context", "trials", "baseline")
"""Options that name a file to be read."""


def read(
    checkpoints: Sequence[str | Path], chosen: Mapping[str, Any], configuration: str | None
) -> list[Path]:
    """All files that a command reads, by its options; of those it does not have none.

    Raises `BadOption` where ``--series`` leads to nothing.
    """
    from rnndiag.evidence.files import files_in

    named = [chosen.get(name) for name in _FILES]
    named += [configuration, _code(chosen.get("model"))]
    series = files_in(chosen["series"]) if chosen.get("series") else []
    return [Path(path) for path in (*checkpoints, *named, *series) if path is not None]


def _code(model: str | None) -> str | None:
    """The file of ``path/to/file.py:factory``; a module's is none that anybody writes over."""
    place = (model or "").rpartition(":")[0]
    return place if place.endswith(".py") else None


def check(
    places: Iterable[Path | None],
    inputs: Sequence[Path],
    folder: Path | None = None,
    *,
    force: bool = False,
    kind: str | None = None,
) -> About | None:
    """Raise `BadOption` before the work, where a place or the folder cannot be written.

    Neither may hold what is read, nor a place lie in the folder that is replaced as a whole.
    Gives what the folder is about by now, where a report stands there; one of another `kind`
    is not replaced.
    """
    from rnndiag.files import check_writable

    wanted = [place for place in places if place is not None]
    if folder is not None:
        for place in wanted:
            if place.absolute().is_relative_to(folder.absolute()):
                hint = f"{folder} gets a report.json of its own"
                raise BadOption(f"--output {place}: lies in {folder}, which is replaced", hint)
    check_writable(wanted, inputs)
    if folder is None:
        return None
    from rnndiag.publishing import folders

    folders.check_replaceable(folder, force=force, read=inputs, kind=kind)
    return folders.standing(folder)


def tell_written(folder: Path, earlier: About | None) -> None:
    """Where the page is, and what `folder` was about before if that was something else."""
    from rnndiag.publishing import folders

    if earlier is not None and earlier != folders.standing(folder):
        what = {"compare": "comparison", "track": "course"}.get(earlier.kind, "report")
        complain(f"{folder}: replaced the {what} of {earlier.subject}", "")
    complain(f"{folder / 'index.html'} is written", "")
