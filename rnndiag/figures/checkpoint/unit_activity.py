"""How active each unit is, which ones say nothing, and which sit at the ends of their range."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from rnndiag.figures._maps import shown_units
from rnndiag.figures._style import (
    BLUE,
    GRAY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    legend,
    log_ticks,
    note,
    sheet,
)
from rnndiag.figures.base import Layer, Picture, Subject
from rnndiag.measurements._gates import is_projected
from rnndiag.measurements.unit_activity import (
    CONSTANT_SPREAD,
    DORMANT_LEVEL,
    DORMANT_SHARE,
    OFF_SHARE,
    UnitActivity,
)
from rnndiag.records import Array, LayerRun
from rnndiag.records.activity import EXTREME
from rnndiag.wording import counted, number, percent

PLACE = 50
TITLE = "Activity of units"
_LOWEST = 1e-8
"""Where the axis of sizes ends: a unit of exactly 0 has no place on it."""
_DOTTED = 100
_NAMED = 24
"""Up to so many units have their own number on the axis."""


@dataclass(frozen=True, kw_only=True)
class _Units:
    """A value for each unit, the most active first."""

    index: Array
    level: Array
    """Mean |h|."""
    spread: Array
    """Standard deviation of h."""
    extreme: Array | None
    """Share of steps with |h| > 0.99; None where the activation has no bounds."""
    off: Array | None
    """Share of steps at exactly 0; None where the activation is no rectifier."""
    dead: Array
    constant: Array


def draw(subject: Subject) -> Iterator[Picture]:
    """One picture for each layer and direction whose activity was measured."""
    for layer, activity in subject.measured("unit_activity", UnitActivity):
        yield _picture(layer, activity, _units(layer.run, activity))


def _units(run: LayerRun, activity: UnitActivity) -> _Units:
    seen = run.activity.units
    order = shown_units(seen.mean_abs, len(seen.mean_abs))
    spread = np.sqrt(seen.covariance.diagonal().clip(min=0))
    rectified = run.rectified and not is_projected(run)
    return _Units(
        index=order,
        level=seen.mean_abs[order],
        spread=spread[order],
        extreme=None if activity.extreme_share is None else seen.extreme_share[order],
        off=seen.off_share[order] if rectified else None,
        dead=np.isin(order, activity.dead_units),
        constant=np.isin(order, activity.constant_units),
    )


def _picture(layer: Layer, activity: UnitActivity, units: _Units) -> Picture:
    return Picture(
        name="unit_activity",
        title=TITLE,
        caption=_caption(activity, units),
        alt=_alt(activity, units),
        figure=_drawn(layer, units),
        layer=layer.report,
    )


# ---------------------------------------------------------------- what is drawn


def _drawn(layer: Layer, units: _Units) -> Figure:
    figure: Figure
    figure, (sizes, shares) = sheet(
        f"{TITLE}: {layer.title}", 2, 1, height=5.6, sharex=True, height_ratios=(3, 2)
    )
    _sizes(sizes, units)
    _shares(shares, units)
    ranks = np.arange(1, len(units.index) + 1)
    shares.set_xlim(0.5, len(ranks) + 0.5)
    if len(ranks) <= _NAMED:
        shares.set_xticks(ranks, [str(unit) for unit in units.index])
        shares.set_xlabel("unit, the most active first")
    else:
        shares.xaxis.set_major_locator(MaxNLocator(integer=True))
        shares.set_xlabel("units, the most active first")
    legend(figure, sizes, shares, columns=2)
    return figure


def _sizes(axes: Axes, units: _Units) -> None:
    ranks = np.arange(1, len(units.index) + 1)
    axes.plot(ranks, _seen(units.level), color=BLUE, label="mean |h|", **_line(ranks))
    axes.plot(ranks, _seen(units.spread), ".", ms=4, color=SKY, label="standard deviation of h")
    if units.off is None:
        quiet = _quiet(units)
        axes.axhline(quiet, color=GRAY, ls="--", label=f"quiet: mean |h| ≤ {number(quiet, 3)}")
        still = f"still: deviation < {DORMANT_LEVEL:g}"
        axes.axhline(DORMANT_LEVEL, color=GRAY, ls=":", label=still)
    _marks(axes, ranks, units)
    axes.set_yscale("log")
    log_ticks(axes.yaxis)
    axes.set_ylabel("size of h")


def _line(ranks: Array) -> dict[str, Any]:
    """A line with a dot for each unit while there is room for them."""
    return {"lw": 1.2, "marker": "o" if len(ranks) <= _DOTTED else None, "ms": 3}


def _seen(values: Array) -> Array:
    """Where a logarithmic axis can show it."""
    return np.maximum(values, _LOWEST)


def _quiet(units: _Units) -> float:
    """The mean |h| up to which a unit counts as quiet."""
    return max(DORMANT_SHARE * float(units.level.mean()), DORMANT_LEVEL)


def _marks(axes: Axes, ranks: Array, units: _Units) -> None:
    """Crosses on dead units, rings around constant ones: a unit may be both."""
    more: dict[str, Any] = {"ls": "none", "mfc": "none", "mew": 1.5}
    level = _seen(units.level)
    if units.constant.any():
        axes.axhline(CONSTANT_SPREAD, color=PURPLE, ls=":", lw=1)
        told = f"constant: deviation < {CONSTANT_SPREAD:g}"
        own = units.constant
        axes.plot(ranks[own], level[own], marker="o", ms=9, mec=PURPLE, label=told, **more)
    if units.dead.any():
        own = units.dead
        axes.plot(ranks[own], level[own], marker="x", ms=6, mec=VERMILION, label="dead", **more)


def _shares(axes: Axes, units: _Units) -> None:
    ranks = np.arange(1, len(units.index) + 1)
    if units.extreme is not None:
        told = f"share of |h| > {EXTREME:g}"
        axes.plot(ranks, units.extreme, color=ORANGE, label=told, **_line(ranks))
    if units.off is not None:
        axes.plot(ranks, units.off, color=VERMILION, label="share of h = 0", **_line(ranks))
        told = f"dead: 0 on {percent(OFF_SHARE)} of steps"
        axes.axhline(OFF_SHARE, color=GRAY, ls="--", label=told)
    if units.extreme is None and units.off is None:
        note(axes, "no bounds: no value of h is extreme")
    axes.set(ylim=(-0.05, 1.05), ylabel="share of steps")


# ---------------------------------------------------------------- what is said


def _caption(activity: UnitActivity, units: _Units) -> str:
    dead = (
        f"A unit is dead where it is 0 on {percent(OFF_SHARE)} of steps."
        if units.off is not None
        else (
            f"A unit is dead where it is both quiet (mean |h| up to {DORMANT_SHARE:g} of the "
            f"layer's, or {DORMANT_LEVEL:g}) and still, or constant."
        )
    )
    bounds = " The output has no bounds, so no share of extreme values." * (units.extreme is None)
    ends = f" Values below {_LOWEST:g} are drawn there." * bool((units.spread < _LOWEST).any())
    padded = (
        f" {percent(activity.padding_share)} of the steps are padding that is not masked."
        if activity.padding_share
        else ""
    )
    steps = counted(activity.steps, "step")
    return (
        f"Mean |h| and standard deviation of {counted(len(units.index), 'unit')} over {steps} of "
        f"the probe, sorted. {dead}{bounds}{ends}{padded}"
    )


def _alt(activity: UnitActivity, units: _Units) -> str:
    extreme = (
        "no bounds"
        if units.extreme is None
        else f"{percent(activity.extreme_share)} of |h| "
        f"above {EXTREME:g}, in the most extreme unit {percent(float(units.extreme.max()))}"
    )
    level = f"from {number(float(units.level[0]), 3)} down to {number(float(units.level[-1]), 3)}"
    count = counted(len(units.index), "unit")
    return (
        f"Sorted curve of mean |h|, {level}. {int(units.dead.sum())} of {count} dead, "
        f"{int(units.constant.sum())} constant; {extreme}."
    )
