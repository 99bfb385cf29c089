"""Files of ``torch.save``: zip archives and the older bare pickles, Lightning's among them."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rnndiag.checkpoints._pickles.objects import shown
from rnndiag.checkpoints._torch.load import load, refusing
from rnndiag.checkpoints._torch.modules import is_module
from rnndiag.checkpoints._torch.state import find_model, state_dict
from rnndiag.checkpoints._torch.training import trained, training_facts
from rnndiag.checkpoints.base import BROKEN_ZIP, facts_of, sha256
from rnndiag.records import Checkpoint, TrainingFact, Writer

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
    if not head.startswith(_ZIP):
        binary = head.startswith(b"\x80") and _LEGACY_MAGIC in head[:32]
        return binary or head.startswith(_OLDEST_MAGIC)
    try:
        with zipfile.ZipFile(path) as archive:
            records = {name.rpartition("/")[2] for name in archive.namelist() if "/" in name}
            # torch.jit's archives have constants, too.
            return "data.pkl" in records and "constants.pkl" not in records
    except BROKEN_ZIP:
        first = head[_FIRST_NAME]
        return b"/data.pkl" in first or b"/data/" in first


def read(path: Path) -> Checkpoint:
    """The model's weights, and what the file tells about its training."""
    with path.open("rb") as file:
        zipped = file.read(len(_ZIP)) == _ZIP
    loaded = load(path, zipped=zipped)
    content = loaded.content
    with refusing(path):
        model = find_model(path, content)
    known = trained(content, model.tensors)
    return Checkpoint(
        path=path,
        format=_format(content, zipped=zipped),
        writer=Writer(framework="torch"),
        size_bytes=path.stat().st_size,
        sha256=sha256(path),
        content=state_dict(model),
        training=(*facts_of(lambda: _told(content)), *known.facts),
        notes=(*_lightning_note(content), *loaded.notes, *model.notes, *known.notes),
        updates=known.updates,
        why_no_updates=known.why_no_updates,
    )


def _told(content: Any) -> tuple[TrainingFact, ...]:
    """Facts of what stands beside a model; a model's own attributes are none."""
    return () if is_module(content) else training_facts(content)


def _format(content: Any, *, zipped: bool) -> str:
    if isinstance(content, Mapping) and _LIGHTNING in content:
        return "lightning-ckpt"
    return "torch-zip" if zipped else "torch-legacy"


def _lightning_note(content: Any) -> tuple[str, ...]:
    version = content.get(_LIGHTNING) if isinstance(content, Mapping) else None
    return (f"written by Lightning {shown(version)}",) if isinstance(version, str) else ()
