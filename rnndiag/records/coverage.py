"""What became of each array in a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rnndiag.records.common import Direction, Shape

Role = Literal["analysed", "surrounding", "optimizer", "copied", "bookkeeping", "not_analysed"]
"""Of a recurrent layer that was analysed; of another layer; of the training, what moves the
weights; further copies of them, averages too; counters, random states and the like; or of nothing
known."""
ROLES: tuple[Role, ...] = (
    "analysed",
    "surrounding",
    "optimizer",
    "copied",
    "bookkeeping",
    "not_analysed",
)


@dataclass(frozen=True, kw_only=True)
class StoredArray:
    """One array as a reader finds it: its place and shape, and never its numbers."""

    name: str
    """Where it stands in the file, in full."""
    shape: Shape
    parameter: str | None = None
    """What the content calls it; None where that is `name`."""
    role: Role | None = None
    """None where the network has to tell: what the file itself tells is no weight in use."""
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """One array of the file, and what it was to the diagnosis."""

    name: str
    """Where it stands in the file, in full."""
    shape: Shape
    role: Role
    owner: str | None = None
    """The id of the layer, or what in the file it belongs to."""
    direction: Direction | None = None
    part: str | None = None
    """Of an analysed layer: ``kernel``, ``recurrent``, ``bias`` or ``projection``."""
    reason: str | None = None
    """Why it is not analysed, or what else is to be said of it."""
