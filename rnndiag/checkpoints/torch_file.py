"""Files of ``torch.save``: zip archives and the older bare pickles, Lightning's among them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rnndiag.checkpoints._archives import zip_members
from rnndiag.checkpoints._pickles.objects import shown
from rnndiag.checkpoints._torch import parts
from rnndiag.checkpoints._torch.load import load
from rnndiag.checkpoints._torch.saved import Source, checkpoint
from rnndiag.checkpoints.base import sha256
from rnndiag.records import Checkpoint

_ZIP = b"PK\x03\x04"
_FIRST_NAME = slice(30, 286)
"""Where a zip file's first member has its name: torch.save begins with data.pkl, torch.jit
with data/0.
"""
_LEGACY_MAGIC = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""The pickled number 0x1950a86a20f9469cfc6c, behind the protocol and perhaps a frame."""
_OLDEST_MAGIC = b"L119547037146038801333356L\n"
"""The same number in protocol 1."""
_LIGHTNING = "pytorch-lightning_version"


def recognises(path: Path, head: bytes) -> bool:
    """A zip archive with ``data.pkl``, cut off or not; or the magic number of the bare pickle."""
    if not is_zip(head):
        binary = head.startswith(b"\x80") and _LEGACY_MAGIC in head[:32]
        return binary or head.startswith(_OLDEST_MAGIC)
    names = zip_members.names(path)
    if not names:
        first = head[_FIRST_NAME]
        return b"/data.pkl" in first or b"/data/" in first
    records = {name.rpartition("/")[2] for name in names if "/" in name}
    # torch.jit's archives have constants, too, and Keras's may have any file among their assets.
    return "data.pkl" in records and "constants.pkl" not in records and "config.json" not in names


def is_zip(head: bytes) -> bool:
    """Whether the file is an archive, by its first bytes; else it is a bare pickle."""
    return head.startswith(_ZIP)


def read(path: Path) -> Checkpoint:
    """The model's weights, and what the file tells about its training."""
    with path.open("rb") as file:
        zipped = is_zip(file.read(len(_ZIP)))
    loaded = load(path, zipped=zipped)
    source = Source(
        path=path,
        format=_format(loaded.content, zipped=zipped),
        size_bytes=path.stat().st_size,
        sha256=sha256(path),
        notes=(
            *parts.notes_on_one(path),
            *_lightning_note(loaded.content),
            *loaded.notes,
        ),
        unrun=loaded.notes,
    )
    return checkpoint(source, loaded.content)


def _format(content: Any, *, zipped: bool) -> str:
    if isinstance(content, Mapping) and _LIGHTNING in content:
        return "lightning-ckpt"
    return "torch-zip" if zipped else "torch-legacy"


def _lightning_note(content: Any) -> tuple[str, ...]:
    version = content.get(_LIGHTNING) if isinstance(content, Mapping) else None
    return (f"written by Lightning {shown(version)}",) if isinstance(version, str) else ()
