"""The frozen records that cross the boundaries between the steps of a diagnosis.

Nothing here computes, and nothing here needs torch: a report can be read where torch is
not installed. Shapes use B batch, T timesteps, I input size, H units, G gates.
"""

from __future__ import annotations

from rnndiag.records.checkpoint import (
    NO_OPTIMIZER,
    Checkpoint,
    KerasModel,
    NamedArray,
    ParameterUpdate,
    StateDict,
    TorchModule,
    TrainingFact,
    Writer,
)
from rnndiag.records.common import Array, Direction, Shape, Wiring
from rnndiag.records.comparison import Change, Comparison, LayerPair, Verdict
from rnndiag.records.coverage import ROLES, Coverage, Role, StoredArray
from rnndiag.records.evidence import (
    History,
    LayerSettings,
    Series,
    Setting,
    Settings,
    Trial,
    Trials,
    WeightSizes,
)
from rnndiag.records.graph import Call, Graph, LayerSpec, Ref
from rnndiag.records.judgement import (
    CONFIDENCES,
    SEVERITIES,
    Advice,
    Confidence,
    Finding,
    Judgement,
    Measured,
    NotJudged,
    Passed,
    Severity,
)
from rnndiag.records.options import Options, Policy
from rnndiag.records.report import (
    CheckpointReport,
    Failed,
    InputScale,
    LayerReport,
    Outcome,
    ProbeReport,
    Report,
    Skipped,
    Surrounding,
    Unread,
)
from rnndiag.records.run import LayerRun, LayerWeights, NotAnalysed, Probe, ProbeRun

__all__ = [
    "CONFIDENCES",
    "NO_OPTIMIZER",
    "ROLES",
    "SEVERITIES",
    "Advice",
    "Array",
    "Call",
    "Change",
    "Checkpoint",
    "CheckpointReport",
    "Comparison",
    "Confidence",
    "Coverage",
    "Direction",
    "Failed",
    "Finding",
    "Graph",
    "History",
    "InputScale",
    "Judgement",
    "KerasModel",
    "LayerPair",
    "LayerReport",
    "LayerRun",
    "LayerSettings",
    "LayerSpec",
    "LayerWeights",
    "Measured",
    "NamedArray",
    "NotAnalysed",
    "NotJudged",
    "Options",
    "Outcome",
    "ParameterUpdate",
    "Passed",
    "Policy",
    "Probe",
    "ProbeReport",
    "ProbeRun",
    "Ref",
    "Report",
    "Role",
    "Series",
    "Setting",
    "Settings",
    "Severity",
    "Shape",
    "Skipped",
    "StateDict",
    "StoredArray",
    "Surrounding",
    "TorchModule",
    "TrainingFact",
    "Trial",
    "Trials",
    "Unread",
    "Verdict",
    "WeightSizes",
    "Wiring",
    "Writer",
]
