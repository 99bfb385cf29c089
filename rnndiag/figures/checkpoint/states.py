"""What every unit does at every timestep of a few samples: as it is, and unit by unit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from rnndiag.figures._maps import binned, shown_units, unit_axis
from rnndiag.figures._style import BLACK, GRAY, SIGNED, hide_inner, legend_bar, sheet
from rnndiag.figures._timelines import (
    mean_sizes,
    place_told,
    shown_columns,
    shown_samples,
    time_label,
)
from rnndiag.figures.base import Layer, Picture, Subject
from rnndiag.records import Array
from rnndiag.wording import counted, number

PLACE = 80
TITLE = "States"
_MOST_SAMPLES = 3
_MOST_ROWS, _MOST_COLUMNS = 200, 360
"""Of a map; about as many as it has pixels."""
_NOT_FINITE = "#ffff00"


@dataclass(frozen=True, kw_only=True)
class _Shown:
    """What is drawn of each sample."""

    samples: list[int]
    units: Array
    """Their indices, in the order of the rows."""
    states: Array
    """(samples, units, T), the most active unit first; 0 at masked steps."""
    masked: Array
    """(samples, T) bool."""
    padded: Array
    """(samples, T) bool, trailing padding that is not masked."""

    @property
    def largest(self) -> float:
        """The largest finite |h|; 0 where there is none."""
        return float(_finite_sizes(self.states).max())

    @property
    def by_row(self) -> Array:
        """Each row over its own largest |h|."""
        ends = _finite_sizes(self.states).max(axis=-1, keepdims=True)
        found: Array = self.states / np.where(ends > 0, ends, 1.0)
        return found


def _finite_sizes(values: Array) -> Array:
    found: Array = np.where(np.isfinite(values), np.abs(values), 0.0)
    return found


def draw(subject: Subject) -> Iterator[Picture]:
    """One picture for each layer and direction with a finite state to show."""
    for layer in subject.layers:
        if np.isfinite(layer.arrays.h[layer.run.mask]).any():
            yield _picture(layer, _shown(layer))


def _shown(layer: Layer) -> _Shown:
    run = layer.run
    samples = shown_samples(run, _MOST_SAMPLES)
    sizes = mean_sizes(layer)
    units = shown_units(sizes, len(sizes))
    columns = shown_columns(layer)[units]
    mask, real = run.mask[samples], run.real[samples]
    states = layer.arrays.h[samples][..., columns].astype(np.float64)
    return _Shown(
        samples=samples,
        units=units,
        states=np.where(mask[..., None], states, 0.0).transpose(0, 2, 1),
        masked=~mask,
        padded=mask & ~real,
    )


def _picture(layer: Layer, shown: _Shown) -> Picture:
    return Picture(
        name="states",
        title=TITLE,
        caption=_caption(layer, shown),
        alt=_alt(shown),
        figure=_drawn(layer, shown),
        layer=layer.report,
    )


# ---------------------------------------------------------------- what is drawn


def _drawn(layer: Layer, shown: _Shown) -> Figure:
    rows = len(shown.samples)
    figure: Figure
    figure, axes = sheet(
        f"{TITLE}: {layer.title}",
        rows,
        2,
        height=1.9 + 1.75 * rows,
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    sides = ((shown.states, shown.largest or 1.0, "h"), (shown.by_row, 1.0, "h / largest of row"))
    for column, (values, end, label) in zip(axes.T, sides, strict=True):
        for row, own in enumerate(column):
            image = _map(own, values[row], Normalize(-end, end))
            _shade(own, shown, row)
        legend_bar(figure, image, column, label, location="bottom")
    axes[0, 1].set_title("each row on its own scale")
    for own, sample in zip(axes[:, 0], shown.samples, strict=True):
        own.set_title(f"sample {sample}")
        unit_axis(own, shown.units, "mean |h|")
    hide_inner(axes[:-1].flat, "x")
    hide_inner(axes[:, 1], "y")
    for own in axes[-1]:
        own.set_xlabel(time_label(layer))
    _key(figure, shown)
    return figure


def _map(axes: Axes, values: Array, norm: Normalize) -> Any:
    units, steps = values.shape
    shown = binned(binned(values, _MOST_COLUMNS).T, _MOST_ROWS).T
    colors = mpl.colormaps[SIGNED].with_extremes(bad=_NOT_FINITE)
    extent = (-0.5, steps - 0.5, units - 0.5, -0.5)
    masked = np.ma.masked_invalid(shown)
    image = axes.imshow(masked, aspect="auto", cmap=colors, norm=norm, extent=extent)
    axes.grid(visible=False)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    return image


_SHADES: dict[str, dict[str, Any]] = {
    "masked": {"fc": "#e4e4e4", "ec": GRAY, "hatch": "////", "lw": 0},
    "padding, not masked": {"fc": "none", "ec": BLACK, "hatch": "...", "lw": 0},
}
"""How steps look that are not what they seem; without hatching, gray could be a state."""


def _shade(axes: Axes, shown: _Shown, row: int) -> None:
    flags = zip(_SHADES.values(), (shown.masked[row], shown.padded[row]), strict=True)
    for look, own in flags:
        ranges = [(start - 0.5, stop - start) for start, stop in _stretches(own)]
        axes.broken_barh(ranges, (0, 1), transform=axes.get_xaxis_transform(), **look)


def _stretches(flags: Array) -> list[tuple[int, int]]:
    """Where runs of true values start, and where they have ended."""
    changes = np.flatnonzero(np.diff(np.r_[False, flags, False]))
    return [(int(start), int(stop)) for start, stop in changes.reshape(-1, 2)]


def _key(figure: Figure, shown: _Shown) -> None:
    there = (shown.masked.any(), shown.padded.any())
    looks = [(*item, seen) for item, seen in zip(_SHADES.items(), there, strict=True)]
    handles = [Patch(label=name, **look) for name, look, seen in looks if seen]
    if not np.isfinite(shown.states).all():
        handles.append(Patch(fc=_NOT_FINITE, ec=GRAY, label="NaN or infinite"))
    if handles:
        figure.legend(handles=handles, loc="outside lower left", ncols=3)


# ---------------------------------------------------------------- what is said


def _caption(layer: Layer, shown: _Shown) -> str:
    units, steps = shown.states.shape[1:]
    shared = (
        " Neighbors share a pixel, which shows the largest of them."
        if units > _MOST_ROWS or steps > _MOST_COLUMNS
        else ""
    )
    return (
        f"Left: h on one scale for all samples, ±{number(shown.largest or 1.0, 3)}. Right: each "
        "row, a unit in one sample, over its own largest |h|, so that quiet units show, too. "
        f"{counted(units, 'unit').capitalize()} stand in one order everywhere, the largest mean "
        f"|h| over the probe on top.{shared}{place_told(layer.run)}{layer.input_told}"
    )


def _alt(shown: _Shown) -> str:
    units, steps = shown.states.shape[1:]
    ends = np.median(_finite_sizes(shown.states).max(axis=(0, 2)))
    masked, padded = int(shown.masked.sum()), int(shown.padded.sum())
    broken = int((~np.isfinite(shown.states)).sum())
    notes = ((masked, "steps masked"), (padded, "steps padding"), (broken, "values not finite"))
    told = "".join(f", {count} {what}" for count, what in notes if count)
    return (
        f"Heat maps of {counted(units, 'unit')} by {counted(steps, 'timestep')} for "
        f"{counted(len(shown.samples), 'sample')}. |h| reaches {number(shown.largest, 3)}; the "
        f"median unit's largest is {number(float(ends), 3)}{told}."
    )
