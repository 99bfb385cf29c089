"""What the layers' settings come to for the network as a whole."""

from __future__ import annotations

from collections.abc import Iterable

from rnndiag.records import Setting


def largest(found: Iterable[Setting[float] | None]) -> float:
    """The largest value of those that are known; 0 where none is."""
    return max((setting.value for setting in found if setting is not None), default=0.0)
