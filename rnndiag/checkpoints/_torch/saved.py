"""What was saved with the model in it, as a checkpoint: however its files are laid out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rnndiag.checkpoints._torch import listing
from rnndiag.checkpoints._torch.load import refusing
from rnndiag.checkpoints._torch.modules import is_module
from rnndiag.checkpoints._torch.state import find_model, state_dict
from rnndiag.checkpoints._torch.training import trained, training_facts
from rnndiag.checkpoints.base import facts_of
from rnndiag.records import Checkpoint, TrainingFact, Writer


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where the content was read from."""

    path: Path
    format: str
    size_bytes: int
    sha256: str
    notes: tuple[str, ...] = ()
    """What reading it told, before what is told of the model."""
    unrun: tuple[str, ...] = ()
    """As `Checkpoint.unrun`."""


def checkpoint(source: Source, content: Any) -> Checkpoint:
    """The model's weights among `content`, and what it tells about their training.

    Raises `UnsupportedCheckpoint` where it has no tensors.
    """
    with refusing(source.path):
        model = find_model(source.path, content)
    known = trained(content, model.tensors)
    return Checkpoint(
        path=source.path,
        format=source.format,
        writer=Writer(framework="torch"),
        size_bytes=source.size_bytes,
        sha256=source.sha256,
        content=state_dict(model),
        training=(*facts_of(lambda: _told(content)), *known.facts),
        notes=(*source.notes, *model.notes, *known.notes),
        unrun=source.unrun,
        updates=known.updates,
        why_no_updates=known.why_no_updates,
        stored=listing.stored(content, model),
    )


def _told(content: Any) -> tuple[TrainingFact, ...]:
    """Facts of what stands beside a model; a model's own attributes are none."""
    beside = isinstance(content, Mapping) and not is_module(content)
    return training_facts(content) if beside else ()
