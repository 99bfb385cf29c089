"""Measurements: one quantity a file, a fact and a pure function of a layer's run.

Each module has a frozen fact dataclass and ``measure(run: LayerRun, options: Options)``,
which returns the fact, or `Skipped` with the reason. No judgement, no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rnndiag import registry
from rnndiag.records import LayerRun, Options


def measure(run: LayerRun, options: Options) -> Mapping[str, Any]:
    """Every measurement of one layer's run, by name."""
    modules = registry.modules(__name__)
    return {name: module.measure(run, options) for name, module in modules.items()}
