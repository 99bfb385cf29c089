"""Files of ``torch.save``: zip archives and the older bare pickles, Lightning's among them."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rnndiag.checkpoints._torch_load import load
from rnndiag.checkpoints._torch_state import find_model
from rnndiag.checkpoints._torch_tensors import lazy_state_dict
from rnndiag.checkpoints._torch_training import trained, training_facts
from rnndiag.checkpoints.base import BROKEN_ZIP, facts_of, sha256
from rnndiag.records import Checkpoint, Writer

_ZIP = b"PK\x03\x04"
_FIRST_NAME = slice(30, 286)
"""Where a zip file's first member has its name: torch.save begins with data.pkl, torch.jit
with data/0.
"""
_LEGACY_MAGIC = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""The pickled number 0x1950a86a20f9469cfc6c, behind the protocol and perhaps a frame."""
_LIGHTNING = "pytorch-lightning_version"


def recognises(path: Path, head: bytes) -> bool:
    """A zip archive with ``data.pkl``, cut off or not; or the magic number of the bare pickle."""
    if not head.startswith(_ZIP):
        return head.startswith(b"\x80") and _LEGACY_MAGIC in head[:32]
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/data.pkl") for name in archive.namelist())
    except BROKEN_ZIP:
        first = head[_FIRST_NAME]
        return b"/data.pkl" in first or b"/data/" in first


def read(path: Path) -> Checkpoint:
    """The model's weights, and what the file tells about its training."""
    with path.open("rb") as file:
        zipped = file.read(len(_ZIP)) == _ZIP
    content = load(path, zipped=zipped)
    model = find_model(path, content)
    known = trained(content, model.tensors)
    shapes = {name: tuple(tensor.shape) for name, tensor in model.tensors.items()}
    return Checkpoint(
        path=path,
        format=_format(content, zipped=zipped),
        writer=Writer(framework="torch"),
        size_bytes=path.stat().st_size,
        sha256=sha256(path),
        content=lazy_state_dict(shapes, model.tensors.__getitem__),
        training=(*facts_of(lambda: training_facts(content)), *known.facts),
        notes=(*_lightning_note(content), *model.notes, *known.notes),
        updates=known.updates,
        why_no_updates=known.why_no_updates,
    )


def _format(content: Any, *, zipped: bool) -> str:
    if isinstance(content, Mapping) and _LIGHTNING in content:
        return "lightning-ckpt"
    return "torch-zip" if zipped else "torch-legacy"


def _lightning_note(content: Any) -> tuple[str, ...]:
    if isinstance(content, Mapping) and _LIGHTNING in content:
        return (f"written by Lightning {content[_LIGHTNING]}",)
    return ()
