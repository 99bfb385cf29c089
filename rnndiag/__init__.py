"""rnndiag: diagnose trained recurrent networks from their checkpoint files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnndiag.records import Report

__version__ = "0.1.0"
__all__ = ["__version__", "advise", "diagnose"]


def diagnose(path: str, **options: Any) -> Report:
    """Measure the recurrent layers of the checkpoint at `path`.

    Keyword arguments are the fields of `rnndiag.records.Options`; the result is what
    ``rnndiag inspect --format json`` prints. Raises `rnndiag.errors.RnndiagError`.
    """
    from rnndiag import pipeline, records

    return pipeline.diagnose(path, records.Options(**options))


def advise(path: str, **chosen: Any) -> Report:
    """Judge the checkpoint, or the saved report, at `path` by the rules.

    Keyword arguments are the fields of `Options` and `Policy` in `rnndiag.records` and of
    `rnndiag.advising.Evidence`; the findings are in the result's ``judgement``. Configuration
    files do not count. Raises `rnndiag.errors.RnndiagError`, as where a saved file holds several
    reports.
    """
    from rnndiag import advising
    from rnndiag.errors import BadOption

    unknown = sorted(chosen.keys() - advising.Case.names())
    if unknown:
        raise TypeError(f"advise() has no argument {', '.join(unknown)}")
    case = advising.Case.of(chosen)
    outcome = advising.advise([path], lambda _: case)
    if len(outcome.reports) != 1 or outcome.unread:
        told = f"{path}: holds {len(outcome.reports)} reports and {len(outcome.unread)} not read"
        raise BadOption(told, "judge them all: rnndiag.advising.advise, or `rnndiag advise`")
    return outcome.reports[0]
