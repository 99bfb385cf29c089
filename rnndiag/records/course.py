"""The checkpoints of one training run, followed from the first to the last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from rnndiag.records.common import Direction
from rnndiag.records.comparison import Change
from rnndiag.records.judgement import Finding, Severity
from rnndiag.records.report import LayerReport, Report

Part = Literal["kernel", "recurrent", "bias"]
PARTS: tuple[Part, ...] = ("kernel", "recurrent", "bias")


@dataclass(frozen=True, kw_only=True)
class Norms:
    """Frobenius norms of one layer and direction; None where not finite, or not there."""

    kernel: float | None = None
    recurrent: float | None = None
    bias: float | None = None


@dataclass(frozen=True, kw_only=True)
class Reach:
    """How far the gradient of one layer and direction reaches."""

    span: int
    """In timesteps."""
    censored: bool
    """Whether it is only a lower bound, because the probe ends there."""
    timesteps: int


@dataclass(frozen=True, kw_only=True)
class LayerPoint:
    """One layer and direction at one checkpoint; None where something was not measured."""

    norms: Norms
    reach: Reach | None = None
    dead: float | None = None
    """Share of the units."""
    extreme: float | None = None
    """Share of the values."""
    stuck: float | None = None
    """Largest share of stuck units of any gate."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """That a rule has something against a layer, or against the network, at one checkpoint."""

    rule: str
    name: str
    severity: Severity
    layer: str | None = None
    direction: Direction | None = None
    call: int = 0


@dataclass(frozen=True, kw_only=True)
class Point:
    """One checkpoint of the run."""

    path: str
    step: float | None
    """Epoch or step, where its file tells."""
    layers: Mapping[str, LayerPoint]
    """By ``layer id/direction``, ``layer id#1/direction`` for a later call of a shared one."""
    judged: Literal["all", "series", "none"]
    """By all rules; by those alone that rest on the series; or not at all."""
    said: tuple[Said, ...] = ()
    """What the rules that were asked had found by then."""
    appeared: tuple[Said, ...] = ()
    """What they had not found at the checkpoint before that was judged alike."""
    gone: tuple[Said, ...] = ()
    """What they had found there, and not here."""
    reason: str | None = None
    """Why the probe could not be run on it."""


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A file that is no part of the series."""

    path: str
    reason: str
    before: int | None
    """The point in front of which it would stand by its name; as many as there are points where
    that is behind the last, and None where it is no checkpoint by its name either."""


@dataclass(frozen=True, kw_only=True)
class Growth:
    """How one norm changed over the run."""

    first: float
    """The first norm that is above 0: nothing grows from 0 by any factor."""
    last: float
    rate: float | None
    """d ln‖·‖ for each unit of the course's axis, by a Theil-Sen fit; None for a single moment."""

    @property
    def factor(self) -> float:
        """How many times the first norm the last one is."""
        return self.last / self.first


@dataclass(frozen=True, kw_only=True)
class LayerCourse:
    """One layer and direction over the run."""

    key: str
    """Its name in `Point.layers`."""
    layer: LayerReport
    """As it was reported last."""
    growth: Mapping[Part, Growth]
    """Of the norms that are known at one checkpoint or more."""


@dataclass(frozen=True, kw_only=True)
class Lasting:
    """A finding of the last checkpoint, and how long it has been there."""

    finding: Finding
    since: int | None
    """The point from which on it was found at every one; None where that is not known."""


@dataclass(frozen=True, kw_only=True)
class Regression:
    """A quantity of one layer that got worse between two checkpoints."""

    layer: LayerReport
    """As it was at the later one."""
    change: Change
    first: int
    """The point before."""
    last: int
    """The point after."""


@dataclass(frozen=True, kw_only=True)
class Course:
    """A training run: its checkpoints in order, and what became of its layers."""

    points: tuple[Point, ...]
    axis: Literal["epoch", "step", "checkpoint"]
    """What orders the points: what their files count, or their names, by which they are counted."""
    layers: tuple[LayerCourse, ...]
    report: Report
    """The judged report of the last checkpoint that could be run."""
    findings: tuple[Lasting, ...] = ()
    """What was found at it, the worst first."""
    regressions: tuple[Regression, ...] = ()
    """What got worse from the first checkpoint that was run to the last."""
    gaps: tuple[Gap, ...] = ()
    notes: tuple[str, ...] = ()
    lag: int | None = None
    """Timesteps that the task has to remember, where the user told."""
    alpha: float = 1e-2
    """The share of the gradient that still counts for a span."""
    exit_code: int = 0
    schema_version: int = 1

    def at(self, place: int) -> float:
        """Where a point stands on the axis; checkpoints that only names order count from 1."""
        step = self.points[place].step
        return float(place + 1) if self.axis == "checkpoint" or step is None else step
