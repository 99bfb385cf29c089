"""What every figure shares: what it is drawn from, and what it becomes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from rnndiag.records import LayerArrays, LayerReport, LayerRun, ProbeRun, Report
from rnndiag.wording import title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Fact = TypeVar("Fact")


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One analysed layer and direction: what was measured, and the arrays that it rests on."""

    report: LayerReport
    run: LayerRun
    made_up: bool = False
    """Whether what it was fed with is no data: a made-up probe, or noise."""

    @property
    def arrays(self) -> LayerArrays:
        """Every state, gate and gradient: what is drawn was run in full."""
        assert self.run.arrays is not None
        return self.run.arrays

    @property
    def title(self) -> str:
        """Its name, with an arrow for its direction."""
        return title(self.report)

    @property
    def input_told(self) -> str:
        """A sentence for the caption where the input is no data; else nothing."""
        return " Made-up input: data may look different." if self.made_up else ""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What the figures of one checkpoint are drawn from."""

    report: Report
    layers: tuple[Layer, ...]
    lag: int | None = None
    """Timesteps that the task has to remember, where the user told."""

    @classmethod
    def of(cls, report: Report, run: ProbeRun, lag: int | None = None) -> Subject:
        """The layers that were analysed, each with its run: both stand in the same order."""
        analysed = (layer for layer in report.layers if layer.analysed)
        pairs = zip(analysed, run.layers, strict=True)
        synthetic = report.probe.source == "synthetic"
        layers = tuple(
            Layer(report=own, run=its, made_up=synthetic or its.isolated is not None)
            for own, its in pairs
        )
        return cls(report=report, layers=layers, lag=lag)

    def measured(self, measurement: str, kind: type[Fact]) -> Iterator[tuple[Layer, Fact]]:
        """The layers for which a measurement found something, and what."""
        for layer in self.layers:
            found = layer.report.fact(measurement)
            if isinstance(found, kind):
                yield layer, found


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One figure, drawn and not yet saved."""

    name: str
    """What it shows, the name of its module: ``gradient_profile``."""
    title: str
    """As it stands on the picture, without the layer."""
    caption: str
    """How to read it, in one to three sentences; also what was left out or binned."""
    alt: str
    """What is to be seen, with its numbers, for those who do not see it."""
    figure: Figure
    layer: LayerReport | None = None
    """The layer it shows; None for the whole network."""


@dataclass(frozen=True, kw_only=True)
class NotDrawn:
    """A figure that broke: the others are drawn without it."""

    name: str
    reason: str
