"""GPU.

The measurement phase on a GPU over cuDNN's own forward and backward, and the difference from
the CPU's results. `make bench-gpu` runs this row alone, without anything but torch.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks import gpu
from tests.benchmarks.figures import Effort, Figure


def figures(effort: Effort) -> Iterator[Figure]:
    """As `tests.benchmarks.gpu` has them."""
    return gpu.figures()
