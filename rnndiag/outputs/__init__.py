"""Outputs: one format a file, each a pure function of the report: ``render(report, console)``."""

from __future__ import annotations

from rnndiag import registry


def formats() -> tuple[str, ...]:
    """The names that ``--format`` takes."""
    return tuple(registry.modules(__name__))
