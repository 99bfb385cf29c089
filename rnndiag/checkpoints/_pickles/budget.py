"""What the objects that pickles describe may take: one account for all pickles of a checkpoint."""

from __future__ import annotations

from rnndiag import memory
from rnndiag.checkpoints._pickles.objects import HugePickle

_MOST_BYTES = 256 << 20
"""Memory, by rough account; tensors' numbers apart."""
_EXPANSION = 16
"""How many times the pickles themselves that may be, where they are long."""
_WHAT = "what its pickle describes"


class Budget:
    """An account of bytes; `stored` is how many those have that describe the objects."""

    def __init__(self, stored: int = 0) -> None:
        self._most = self._left = min(max(_MOST_BYTES, _EXPANSION * stored), memory.left())
        self._settled = self._left

    def charge(self, size: int) -> None:
        """Account for `size` bytes; raises `HugePickle` where the checkpoint had its share.

        Raises `TooLarge` where that is less than it would be, for want of memory.
        """
        self._left -= size
        if self._left < 0:
            memory.check(self._most + 1, _WHAT)
            raise HugePickle("its pickle describes more objects than any checkpoint needs")

    def settle(self) -> None:
        """Count what was charged as taken; raises `TooLarge` where other things took too much."""
        memory.take(self._settled - self._left, _WHAT)
        self._settled = self._left
