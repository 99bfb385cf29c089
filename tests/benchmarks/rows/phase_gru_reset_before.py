"""Measurement phase of a GRU without reset_after.

As for the LSTM. There is no torch layer of these equations, hence no (a); the cell of (b) is
written by hand.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks import phase
from tests.benchmarks.figures import Effort, Figure


def figures(effort: Effort) -> Iterator[Figure]:
    """Every shape, with vanishing and with long-memory weights; nothing in a quick run."""
    return phase.figures("GRU, reset before", effort)
