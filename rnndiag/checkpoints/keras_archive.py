"""Keras 3's ``.keras`` archives: recognised, and not read yet."""

from __future__ import annotations

import zipfile
from pathlib import Path

from rnndiag.checkpoints.base import BROKEN_ZIP
from rnndiag.errors import UnsupportedCheckpoint
from rnndiag.records import Checkpoint

_ZIP = b"PK\x03\x04"
_MEMBERS = {"config.json", "metadata.json"}


def recognises(path: Path, head: bytes) -> bool:
    """A ZIP archive with a model's configuration and metadata at its top."""
    if not head.startswith(_ZIP):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return set(archive.namelist()) >= _MEMBERS
    except BROKEN_ZIP:
        return False


def read(path: Path) -> Checkpoint:
    """Refuse the archive, and say what to do; raises `UnsupportedCheckpoint`."""
    raise UnsupportedCheckpoint(
        f"{path}: a .keras archive, which rnndiag does not read yet",
        "save the model as HDF5: keras.models.load_model(FILE).save('model.h5')",
    )
