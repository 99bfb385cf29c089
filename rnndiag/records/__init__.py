"""The frozen records that cross the boundaries between the steps of a diagnosis.

Nothing here computes, and nothing here needs torch: a report can be read where torch is
not installed. Shapes use B batch, T timesteps, I input size, H units, G gates.
"""

from __future__ import annotations

from rnndiag.records.checkpoint import (
    Checkpoint,
    KerasModel,
    NamedArray,
    StateDict,
    TrainingFact,
    Writer,
)
from rnndiag.records.common import Array, Direction, Shape, Wiring
from rnndiag.records.graph import Call, Graph, LayerSpec, Ref
from rnndiag.records.options import Options
from rnndiag.records.report import (
    CheckpointReport,
    Failed,
    LayerReport,
    ProbeReport,
    Report,
    Skipped,
)
from rnndiag.records.run import LayerRun, LayerWeights, NotAnalysed, Probe, ProbeRun

__all__ = [
    "Array",
    "Call",
    "Checkpoint",
    "CheckpointReport",
    "Direction",
    "Failed",
    "Graph",
    "KerasModel",
    "LayerReport",
    "LayerRun",
    "LayerSpec",
    "LayerWeights",
    "NamedArray",
    "NotAnalysed",
    "Options",
    "Probe",
    "ProbeReport",
    "ProbeRun",
    "Ref",
    "Report",
    "Shape",
    "Skipped",
    "StateDict",
    "TrainingFact",
    "Wiring",
    "Writer",
]
