"""Distributed checkpoints of PyTorch: a folder with ``.metadata`` and ``*.distcp`` files.

The metadata is a pickle, which is followed as data: it tells of each tensor's size and of the
chunks that it was cut into, and of each chunk the file, the place and the length. A chunk is
what torch.save wrote of it.
"""

from __future__ import annotations

from pathlib import Path

from rnndiag.checkpoints import _links
from rnndiag.checkpoints._torch import parts
from rnndiag.checkpoints._torch.distributed import Folder
from rnndiag.checkpoints._torch.load import refusing
from rnndiag.checkpoints._torch.saved import Source, checkpoint
from rnndiag.records import Checkpoint

_METADATA = ".metadata"


def recognises(path: Path, head: bytes) -> bool:
    """A folder with the metadata, or the metadata in it."""
    return _metadata(path).is_file()


def read(path: Path) -> Checkpoint:
    """The model's weights, put together from their chunks.

    Raises `UnsafeCheckpoint` where a chunk is said to be elsewhere, and `UnreadableCheckpoint`
    where chunks are missing or do not make up their tensor.
    """
    metadata = _metadata(path)
    _links.check(path, metadata)
    with refusing(metadata):
        folder = Folder(metadata)
        content = folder.content()
    files = [metadata, *folder.files()]
    source = Source(
        path=path,
        format="torch-distributed",
        size_bytes=parts.size(files),
        sha256=parts.digest(files),
    )
    return checkpoint(source, content)


def _metadata(path: Path) -> Path:
    return path if path.name == _METADATA else path / _METADATA
