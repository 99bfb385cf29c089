"""Measurement phase of a SimpleRNN.

As for the LSTM; the issue asks for no more than (d) here.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks import phase
from tests.benchmarks.figures import Effort, Figure


def figures(effort: Effort) -> Iterator[Figure]:
    """Every shape, with vanishing and with long-memory weights; nothing in a quick run."""
    return phase.figures("SimpleRNN", effort)
