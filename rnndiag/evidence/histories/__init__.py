"""Histories: the losses of a training run, one file format a file.

A reader tells its format by content (``recognises(path, head)``) and gives its table
(``read(path)``); which columns hold the losses, and what makes an entry, is the same for all.
"""

from __future__ import annotations

from pathlib import Path

from rnndiag import registry
from rnndiag.errors import BadOption
from rnndiag.evidence.histories import _columns, _entries
from rnndiag.evidence.tabular import Table
from rnndiag.records import History

_HEAD_BYTES = 512


def read(
    path: Path, train_column: str | None = None, validation_column: str | None = None
) -> History:
    """The losses in a file, or in a folder of TensorBoard event files.

    An entry is an epoch where the file has epochs, else a step, else a row counted from 0. Where
    an epoch has several, as when losses are logged every few batches, its training loss is their
    mean and its validation loss the last. Where epochs start again after a resume, the last run of
    each is kept. A loss that is NaN or infinite becomes None, as JSON has no NaN: `not_finite` has
    its place if it is a training loss, and a note says how many there are.

    `train_column` and `validation_column` name the columns that the names alone do not tell.
    Raises `BadOption` where the file is missing, empty, damaged or has no losses.
    """
    table = _table(path)
    columns = _columns.choose(path, table, train_column, validation_column)
    return _entries.history(path, table, columns)


def _table(path: Path) -> Table:
    """The table of the first reader that recognises the content."""
    head = _head(path)
    for reader in registry.modules(__name__).values():
        if reader.recognises(path, head):
            table: Table = reader.read(path)
            return table
    raise BadOption(
        f"{path}: not a history: neither CSV, nor JSON, nor a TensorBoard event file",
        "write one with keras.callbacks.CSVLogger, or as CSV with the columns epoch,loss,val_loss",
    )


def _head(path: Path) -> bytes:
    """The first bytes of a non-empty file; nothing of a folder."""
    if path.is_dir():
        return b""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise BadOption(f"{path}: cannot be read: {error.strerror}", "check the path") from error
    if not head.strip():
        raise BadOption(f"{path}: is empty", "was the run that writes it cut short?")
    return head
