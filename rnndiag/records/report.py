"""What was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rnndiag.records.checkpoint import TrainingFact
from rnndiag.records.common import Direction, Wiring


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """A measurement that does not apply here, and why: a result, not an error."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class Failed(Skipped):
    """A measurement that broke: whoever reads the report goes on as if it were skipped."""


@dataclass(frozen=True, kw_only=True)
class LayerReport:
    """One recurrent layer and direction in the report."""

    name: str
    id: str
    """The name that no other layer has, and the prefix of its arrays: ``lstm_l1``."""
    kind: str
    direction: Direction | None
    index: int
    input_size: int | None
    hidden_size: int | None
    analysed: bool
    call: int = 0
    """Which use of a shared layer this is."""
    reason: str | None = None
    measurements: Mapping[str, Any] = field(default_factory=dict)
    """Measurement name → its fact, or `Skipped` or `Failed` with the reason."""


@dataclass(frozen=True, kw_only=True)
class ProbeReport:
    """The probe as the report tells of it."""

    source: Literal["synthetic", "file"]
    batch: int
    timesteps: int
    seeds: int
    device: str
    wiring: Wiring
    loss: float | None = None


@dataclass(frozen=True, kw_only=True)
class CheckpointReport:
    """The file as the report tells of it."""

    path: str
    format: str
    framework: str
    framework_version: str | None
    sha256: str
    bytes: int
    parameters: int


@dataclass(frozen=True, kw_only=True)
class Report:
    """The result of a diagnosis; every output format is a function of it."""

    rnndiag_version: str
    exit_code: int
    checkpoint: CheckpointReport
    probe: ProbeReport
    layers: tuple[LayerReport, ...]
    training: tuple[TrainingFact, ...] = ()
    notes: tuple[str, ...] = ()
    schema_version: int = 1
