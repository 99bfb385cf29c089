"""rnndiag: diagnose trained recurrent networks from their checkpoint files."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any

from rnndiag.errors import RnndiagError

if TYPE_CHECKING:
    from rnndiag.records import Report

__version__ = "0.1.0"
__all__ = ["RnndiagError", "__version__", "advise", "diagnose"]


def __dir__() -> list[str]:
    return sorted(__all__)


def diagnose(path: str | PathLike[str], **options: Any) -> Report:
    """Measure the recurrent layers of the checkpoint at `path`.

    Keyword arguments are the fields of `rnndiag.records.Options`; the result is what
    ``rnndiag inspect --format json`` prints. Raises `RnndiagError`.
    """
    from dataclasses import fields

    from rnndiag import calling, pipeline, records

    known = [own.name for own in fields(records.Options)]
    chosen = calling.arguments("diagnose", known, options)
    return pipeline.diagnose(calling.place(path), records.Options(**chosen))


def advise(path: str | PathLike[str], **chosen: Any) -> Report:
    """Judge the checkpoint, or the saved report, at `path` by the rules.

    Keyword arguments are the fields of `Options` and `Policy` in `rnndiag.records` and of
    `rnndiag.advising.Evidence`; the findings are in the result's ``judgement``. Configuration
    files do not count. Raises `RnndiagError`, as where a saved file holds several reports.
    """
    from rnndiag import advising, calling
    from rnndiag.errors import BadOption

    case = advising.Case.of(calling.arguments("advise", sorted(advising.Case.names()), chosen))
    outcome = advising.advise([calling.place(path)], lambda _: case)
    if len(outcome.reports) != 1 or outcome.unread:
        told = f"{path}: holds {len(outcome.reports)} reports and {len(outcome.unread)} not read"
        raise BadOption(told, "judge them all: rnndiag.advising.advise, or `rnndiag advise`")
    return outcome.reports[0]
