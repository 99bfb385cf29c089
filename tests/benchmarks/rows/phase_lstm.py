"""Measurement phase of an LSTM.

What `rnndiag` does between the probe and the report (states, gates, pulse, activity, budget),
over what else the same weights and the same input could be put through. Shapes are (batch,
timesteps, inputs, hidden); "left" is the pulse's share that arrives at the first step, or at the
last one that it is followed to.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks import phase
from tests.benchmarks.figures import Effort, Figure


def figures(effort: Effort) -> Iterator[Figure]:
    """Every shape, with vanishing and with long-memory weights."""
    return phase.figures("LSTM", effort)
