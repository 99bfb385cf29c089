"""Over how many directions the states vary, and how much single units stand out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rnndiag.figures._steps import by_unit
from rnndiag.figures._style import (
    BLACK,
    BLUE,
    GRAY,
    ORANGE,
    legend,
    log_ticks,
    plain_numbers,
    sheet,
)
from rnndiag.figures.base import Layer, Picture, Subject
from rnndiag.measurements.state_dimension import StateDimension
from rnndiag.records import Array, UnitStatistics
from rnndiag.wording import counted, number, percent

PLACE = 85
TITLE = "Spectrum of the states"
_MOST_ROWS = 1000
"""Eigenvalues take time with the cube: of more units and steps than this, some steps do."""
_SMALLEST = 1e-8
"""Share at which the axis ends; what is below is float32's rounding."""
_MARK = 0.9
_CROWDED = 20
"""From so many directions on the axis is logarithmic: the first few tell the most."""


def draw(subject: Subject) -> Iterator[Picture]:
    """One picture for each layer and direction whose states vary."""
    for layer, fact in subject.measured("state_dimension", StateDimension):
        if fact.participation_ratio is not None:
            yield _picture(layer, fact, fact.participation_ratio)


def _picture(layer: Layer, fact: StateDimension, ratio: float) -> Picture:
    seen = layer.run.activity.units
    rows = seen.steps * layer.run.positions
    every = 1 if len(seen.mean) <= _MOST_ROWS else -(-rows // _MOST_ROWS)
    directions, units = _directions(layer, rows, every), _power(seen)
    return Picture(
        name="state_spectrum",
        title=TITLE,
        caption=_caption(rows, layer.run.positions, every),
        alt=_alt(directions, fact, ratio),
        figure=_drawn(layer, fact, ratio, directions, units),
        layer=layer.report,
    )


def _directions(layer: Layer, rows: int, every: int) -> Array:
    """Shares of the variance: no more than there are rows, as the others are 0."""
    covariance = layer.run.activity.units.covariance
    if len(covariance) <= _MOST_ROWS:
        return spectrum(covariance)[:rows]
    return spectrum(_products(by_unit(layer.arrays.h, layer.run)[::every]))


def spectrum(covariance: Array) -> Array:
    """(H,) shares of the variance along the directions of a `covariance` (H, H), descending."""
    found = np.maximum(np.linalg.eigvalsh(covariance)[::-1], 0)
    total = float(found.sum())
    return found / total if total else found


def _products(h: Array) -> Array:
    """(N, N), of the same eigenvalues as the covariance of `h` (N, H), up to N and zeros."""
    centred = h - h.mean(axis=0, dtype=np.float64)
    found: Array = centred @ centred.T
    return found


def _power(seen: UnitStatistics) -> Array:
    """(H,) share of each unit in the sum of E h², the largest first."""
    power = seen.covariance.diagonal() + np.square(seen.mean)
    found: Array = np.sort(power / power.sum())[::-1]
    return found


# ---------------------------------------------------------------- what is drawn


def _drawn(
    layer: Layer, fact: StateDimension, ratio: float, directions: Array, units: Array
) -> Figure:
    figure: Figure
    figure, (above, below) = sheet(f"{TITLE}: {layer.title}", 2, 1, height=5.6, sharex=True)
    _curves(above, directions, units, ratio)
    _scale(above, directions, units)
    _sums(below, directions, units, ratio)
    top = f"top unit {fact.top_unit}: {percent(fact.top_unit_share)} of Σ E h²"
    above.plot(1, units[0], "D", ms=8, mfc="none", mec=BLACK, ls="none", label=top)
    if len(units) > _CROWDED:
        below.set_xscale("log")
        log_ticks(below.xaxis)
    plain_numbers(below.xaxis)
    below.set_xlabel("directions and units, the largest first")
    legend(figure, above, columns=2)
    return figure


def _curves(axes: Axes, directions: Array, units: Array, ratio: float) -> None:
    for shares, color, label in (
        (directions, BLUE, "variance along a direction"),
        (units, ORANGE, "E h² of a unit"),
    ):
        ranks = np.arange(1, len(shares) + 1)
        axes.plot(ranks, np.maximum(shares, _SMALLEST), ".-", lw=1.2, color=color, label=label)
    alike = 1 / len(units)
    axes.axhline(alike, color=GRAY, ls=":", label=f"all {len(units)} alike: {alike:.2g}")
    told = f"participation ratio {number(ratio, 1)} of {len(units)}"
    axes.axvline(ratio, color=BLACK, lw=1, ls="--", label=told)


def _scale(axes: Axes, directions: Array, units: Array) -> None:
    lowest = min(directions.min(), units.min(), 0.1)
    axes.set_yscale("log")
    axes.set_ylim(max(lowest, _SMALLEST) / 2, 2)
    log_ticks(axes.yaxis)
    axes.set_ylabel("share")


def _sums(axes: Axes, directions: Array, units: Array, ratio: float) -> None:
    for shares, color in ((directions, BLUE), (units, ORANGE)):
        axes.plot(np.arange(1, len(shares) + 1), np.cumsum(shares), ".-", lw=1.2, color=color)
    axes.axhline(_MARK, color=GRAY, lw=1)
    axes.axvline(ratio, color=BLACK, lw=1, ls="--")
    axes.set(ylim=(0, 1.05), ylabel="cumulative share")


# ---------------------------------------------------------------- what is said


def _caption(rows: int, positions: int, every: int) -> str:
    some = f" The spectrum rests on one step in {every}." if every > 1 else ""
    steps = counted(rows // positions, "step")
    places = f" at each of {positions} positions" if positions > 1 else ""
    return (
        f"Eigenvalues of the covariance of h over {steps}{places}, and each unit's share "
        "of Σ E h². The participation ratio (Σλ)² / Σλ² is 1 where one direction varies, and the "
        f"number of units where all vary alike; the gray line below is at {percent(_MARK)}.{some}"
    )


def _alt(directions: Array, fact: StateDimension, ratio: float) -> str:
    enough = counted(int(np.searchsorted(np.cumsum(directions), _MARK)) + 1, "direction")
    share = percent(fact.participation_share)
    return (
        f"Two sorted curves, and their sums. {percent(_MARK)} of the variance lie along {enough}; "
        f"participation ratio {number(ratio, 1)}, {share} of the units. Unit {fact.top_unit} "
        f"alone has {percent(fact.top_unit_share)} of Σ E h²."
    )
