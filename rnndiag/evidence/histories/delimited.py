"""CSV and its kin: Keras's CSVLogger, Lightning's metrics.csv, tables made by hand."""

from __future__ import annotations

from pathlib import Path

from rnndiag.evidence import tabular
from rnndiag.evidence.histories.base import begins_like_json, looks_like_text


def recognises(path: Path, head: bytes) -> bool:
    """Text that is no JSON."""
    return path.is_file() and looks_like_text(head) and not begins_like_json(head)


def read(path: Path) -> tabular.Table:
    """The rows under the header."""
    return tabular.delimited(path, tabular.text_of(path))
