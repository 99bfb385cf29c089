"""What was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rnndiag.records.checkpoint import TrainingFact
from rnndiag.records.common import Direction, Wiring
from rnndiag.records.coverage import Coverage
from rnndiag.records.evidence import History, Series, Settings
from rnndiag.records.judgement import Judgement

NOTHING_ANALYSED = 3
"""Exit status where no recurrent layer could be analysed: that is never "clean"."""


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
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """What the layer was built with, in its framework's own words: Keras's configuration, or
    the arguments of ``torch.nn``'s module as far as its tensors tell."""
    parameters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The names of its arrays in the file: ``kernel``, ``recurrent`` and ``bias`` (which
    PyTorch has two of)."""
    measurements: Mapping[str, Any] = field(default_factory=dict)
    """Measurement name → its fact, or `Skipped` or `Failed` with the reason."""

    def fact(self, measurement: str) -> Any:
        """What a measurement found; None where it was skipped, broke, or was not made."""
        found = self.measurements.get(measurement)
        return None if isinstance(found, Skipped) else found


@dataclass(frozen=True, kw_only=True)
class Surrounding:
    """One layer of the network, recurrent or not, in the order of the calls."""

    name: str
    kind: str
    """Keras's name for it: ``Dropout``, ``LayerNormalization``, ``Add``, ``LSTM``."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Its configuration, as far as it can tell of regularization: rates, strides."""


@dataclass(frozen=True, kw_only=True)
class InputScale:
    """The features of one real-valued network input, over the real steps of a real probe."""

    means: tuple[float, ...]
    """Of each feature."""
    deviations: tuple[float, ...]
    """Standard deviation of each feature."""
    largest: tuple[float, ...]
    """Largest |x| of each feature."""


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
    inputs: tuple[InputScale, ...] = ()
    """The scale of each input with real numbers; empty for made-up probes and token ids."""


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
    framework_version_assumed: bool = False
    """Whether the file does not tell the version, so that it was guessed."""
    non_finite: Mapping[str, int] = field(default_factory=dict)
    """How many values are NaN or infinite in each array that has any, by its name in the file.

    Of the arrays that the network was rebuilt from, those of analysed recurrent layers apart,
    which have the measurement ``non_finite``; no others are read.
    """


@dataclass(frozen=True, kw_only=True)
class Report:
    """The result of a diagnosis; every output format is a function of it."""

    rnndiag_version: str
    exit_code: int
    checkpoint: CheckpointReport
    probe: ProbeReport
    layers: tuple[LayerReport, ...]
    network: tuple[Surrounding, ...] = ()
    """All layers that the file tells of; complete where the wiring is exact."""
    training: tuple[TrainingFact, ...] = ()
    history: History | None = None
    series: Series | None = None
    settings: Settings | None = None
    """What the rules took as known of the training; None before they were asked."""
    judgement: Judgement | None = None
    """What the rules said; None where they were not asked."""
    notes: tuple[str, ...] = ()
    coverage: tuple[Coverage, ...] = ()
    """Every array in the file, each once."""
    schema_version: int = 1


@dataclass(frozen=True, kw_only=True)
class Unread:
    """One of several checkpoints that could not be diagnosed."""

    path: str
    message: str
    hint: str = ""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one call of rnndiag comes to: the report of each checkpoint."""

    reports: tuple[Report, ...]
    unread: tuple[Unread, ...] = ()

    @property
    def exit_code(self) -> int:
        """The worst status of all: the highest."""
        return max([*(report.exit_code for report in self.reports), *(2 for _ in self.unread)])
