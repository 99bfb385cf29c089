"""rnndiag: diagnose trained recurrent networks from their checkpoint files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnndiag.records import Report

__version__ = "0.1.0"
__all__ = ["__version__", "diagnose"]


def diagnose(path: str, **options: Any) -> Report:
    """Measure the recurrent layers of the checkpoint at `path`.

    Keyword arguments are the fields of `rnndiag.records.Options`; the result is what
    ``rnndiag inspect --format json`` prints. Raises `rnndiag.errors.RnndiagError`.
    """
    from rnndiag import pipeline, records

    return pipeline.diagnose(path, records.Options(**options))
