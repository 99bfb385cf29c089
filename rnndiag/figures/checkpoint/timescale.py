"""How long each unit keeps its state by its gate, against what there is to keep."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from rnndiag.figures._style import BLACK, BLUE, GRAY, PURPLE, legend, log_ticks, sheet
from rnndiag.figures.base import Layer, Picture, Subject
from rnndiag.measurements._gates import keeping
from rnndiag.measurements.timescale import Timescale, timescales
from rnndiag.records import Array
from rnndiag.wording import counted, number

PLACE = 65
TITLE = "Timescales of the units"
_SHORTEST, _LONGEST = 0.05, 1e6
"""Where the axis ends: a gate that is never open, and one that is never shut."""


def draw(subject: Subject) -> Iterator[Picture]:
    """One picture for each layer and direction with a gate that keeps the state."""
    for layer, fact in subject.measured("timescale", Timescale):
        yield _picture(layer, fact, subject.lag)


def _picture(layer: Layer, fact: Timescale, lag: int | None) -> Picture:
    gate = keeping(layer.run.weights.gates)
    assert gate is not None
    tau = np.sort(timescales(layer.run.activity.gates[gate].mean))
    figure, axes = sheet(f"{TITLE}: {layer.title}", height=3.8)
    shares = np.arange(1, len(tau) + 1) / len(tau)
    units = counted(len(tau), "unit")
    axes.plot(_within(tau), shares, "o-", ms=3, color=BLUE, label=units)
    steps = int(np.median(layer.run.real.sum(axis=1)))
    axes.axvline(steps, color=GRAY, ls="--", label=f"sequence of {steps}")
    median = f"median {number(fact.p50, 1)}"
    axes.axvline(_within(fact.p50), color=BLACK, lw=1, label=median)
    if lag is not None:
        axes.axvline(lag, color=PURPLE, ls="-.", label=f"lag of the task {lag}")
    axes.set_xscale("log")
    log_ticks(axes.xaxis)
    axes.set_xlabel("timescale τ in timesteps")
    axes.set_ylabel("share of units up to τ")
    legend(figure, axes)
    return Picture(
        name="timescale",
        title=TITLE,
        caption=_caption(gate, tau),
        alt=_alt(fact, steps, tau),
        figure=figure,
        layer=layer.report,
    )


def _within(tau: Any) -> Any:
    """Where the axis can show it."""
    return np.clip(tau, _SHORTEST, _LONGEST)


def _caption(gate: str, tau: Array) -> str:
    ends = int((tau > _LONGEST).sum()), int((tau < _SHORTEST).sum())
    beyond = ""
    if any(ends):
        beyond = f" {ends[0]} units above and {ends[1]} below stand at the axis's ends."
    return (
        f"τ = -1 / ln(mean {gate} gate) of each unit, the shortest first (Tallec & Ollivier "
        "2018). What has to be remembered for longer than the longest τ cannot rest on this gate "
        f"alone.{beyond}"
    )


def _alt(fact: Timescale, steps: int, tau: Array) -> str:
    longer = int((tau >= steps).sum())
    return (
        f"Curve of sorted timescales on a log axis: median {number(fact.p50, 1)}, 10 % below "
        f"{number(fact.p10, 1)}, 10 % above {number(fact.p90, 1)} timesteps. {longer} of "
        f"{len(tau)} units keep their state for the sequence's {steps} steps or longer."
    )
