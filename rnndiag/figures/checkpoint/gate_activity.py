"""How often each unit's gates stand at either end of their range, one point a unit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes

from rnndiag.figures._grids import label_edges
from rnndiag.figures._style import CYCLE, GRAY, YELLOW, sheet
from rnndiag.figures.base import Layer, Picture, Subject
from rnndiag.measurements._gates import KEEPING, is_candidate
from rnndiag.measurements.gate_activity import STUCK_SHARE, GateActivity
from rnndiag.records import Array
from rnndiag.records.activity import HIGH, LOW
from rnndiag.wording import counted, percent

PLACE = 60
TITLE = "Gate saturation"
_MOST_POINTS = 2000


def draw(subject: Subject) -> Iterator[Picture]:
    """One picture for each layer and direction that has gates."""
    for layer, activity in subject.measured("gate_activity", GateActivity):
        yield _picture(layer, activity)


def _picture(layer: Layer, activity: GateActivity) -> Picture:
    gates = list(activity)
    rows = -(-len(gates) // 2)
    figure, axes = sheet(
        f"{TITLE}: {layer.title}",
        rows,
        2,
        height=0.6 + 2.6 * rows,
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    for own, gate, color in zip(axes.flat, gates, CYCLE, strict=False):
        _gate(own, gate, _shares(layer, gate), _faults(layer, gate), color)
    label_edges(axes, len(gates), "share of steps near the high end", "near the low end")
    return Picture(
        name="gate_activity",
        title=TITLE,
        caption=_caption(layer),
        alt=_alt(layer, activity),
        figure=figure,
        layer=layer.report,
    )


def _shares(layer: Layer, gate: str) -> tuple[Array, Array]:
    """(H,) share of steps that each unit's gate is below and above the ends."""
    seen = layer.run.activity.gates[gate]
    return seen.low_share, seen.high_share


def _faults(layer: Layer, gate: str) -> tuple[bool, bool]:
    """Whether standing at the low and at the high end all the time is a fault."""
    has_ends = layer.run.bounded or not is_candidate(gate)
    return has_ends, has_ends and gate not in KEEPING


def _gate(
    axes: Axes, gate: str, shares: tuple[Array, Array], faults: tuple[bool, bool], color: str
) -> None:
    low = -HIGH if is_candidate(gate) else LOW
    left, right = shares
    axes.fill_between([0, 1], [1, 0], [1, 1], color="#f4f4f2", lw=0)
    if faults[0]:
        axes.axhspan(STUCK_SHARE, 1.03, color=YELLOW, alpha=0.5, lw=0)
    if faults[1]:
        axes.axvspan(STUCK_SHARE, 1.03, color=YELLOW, alpha=0.5, lw=0)
    axes.plot([0, 1], [1, 0], color=GRAY, lw=1)
    every = -(-len(left) // _MOST_POINTS)
    axes.plot(right[::every], left[::every], "o", ms=4, alpha=0.5, color=color, mew=0)
    axes.set_title(f"{gate}: {_stuck_told(shares, faults)}")
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    axes.text(0.98, 0.86, f"< {low:g} / > {HIGH:g}", ha="right", color=GRAY, fontsize=9)
    axes.set_xticks(np.linspace(0, 1, 5))


def _stuck_told(shares: tuple[Array, Array], faults: tuple[bool, bool]) -> str:
    """``1 low, 3 high of 5``, of the ends at which a unit can be stuck."""
    if not any(faults):
        return "unbounded"
    counts = (int((own >= STUCK_SHARE).sum()) for own in shares)
    named = zip(counts, ("low", "high"), faults, strict=True)
    told = ", ".join(f"{count} {end}" for count, end, fault in named if fault)
    return f"{told} of {len(shares[0])}"


def _caption(layer: Layer) -> str:
    gates = layer.run.activity.gates
    kept = [gate for gate in gates if gate in KEEPING]
    keep = f" The {kept[0]} gate may be open all the time: that keeps the state." if kept else ""
    units = len(next(iter(gates.values())).mean)
    some = " Of more than 2000 units every few are shown." if units > _MOST_POINTS else ""
    return (
        "A point is a unit: how often over samples and steps its gate is near its high end "
        "(across) and near its low end (up); the ends are written in the corner. A unit at the "
        "origin is never saturated, one on the gray line always. In the yellow bands, "
        f"{STUCK_SHARE:.0%} of steps or more, it is stuck (after Karpathy et al. 2015).{keep}{some}"
    )


def _alt(layer: Layer, activity: GateActivity) -> str:
    told = (
        f"{name} {percent(gate.left_stuck_share)} low"
        + ("" if name in KEEPING else f", {percent(gate.right_stuck_share)} high")
        for name, gate in activity.items()
    )
    units = counted(layer.run.hidden_size, "unit")
    return f"Scatter plots, one point for each of {units}. Stuck units: {'; '.join(told)}."
