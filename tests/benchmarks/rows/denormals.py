"""Denormal numbers on this processor.

What element-wise arithmetic takes with them, over what it takes with others. Where that is one,
flushing them gains nothing, and vanishing gradients slow no peer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from tests.benchmarks.contest import Contestant, alternate
from tests.benchmarks.figures import Effort, Figure, compared

SIZE, REPEATS = 1 << 16, 200


def figures(effort: Effort) -> Iterator[Figure]:
    """One thread, numbers that stay in the cache."""
    entrants = [
        Contestant(name="denormal", run=_products(1e-40)),
        Contestant(name="normal", run=_products(1e-3)),
    ]
    times = alternate(entrants, effort.pace)
    what = f"{SIZE:,} products of denormal numbers, {REPEATS} times"
    yield compared(what, "of normal numbers", times["denormal"], times["normal"])


def _products(value: float) -> Callable[[], None]:
    numbers, factors = torch.full((SIZE,), value), torch.full((SIZE,), 0.7)
    result = torch.empty_like(numbers)

    def run() -> None:
        for _ in range(REPEATS):
            torch.mul(numbers, factors, out=result)

    return run
