"""Measurements: one quantity a file, a fact and a pure function of a layer's run.

Each module has a frozen fact and ``measure(run: LayerRun, options: Options)``, which returns
the fact, or `Skipped` with the reason. No judgement, no torch. Definitions of states, gates
and spans are over unmasked steps; weights and states that are not finite are counted by
`non_finite` and skipped by all others.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from rnndiag import registry
from rnndiag.records import Failed, LayerRun, Options


def measure(run: LayerRun, options: Options) -> Mapping[str, Any]:
    """Every measurement of one layer's run, by name: a fact, `Skipped` or `Failed`."""
    modules = registry.modules(__name__)
    return {name: _one(module, run, options) for name, module in modules.items()}


def _one(module: ModuleType, run: LayerRun, options: Options) -> Any:
    try:
        return module.measure(run, options)
    except Exception as error:  # whatever breaks one measurement must not take the others along
        return Failed(reason=f"internal error: {type(error).__name__}: {error}")
