"""The gradient of every unit at every timestep: its total, and its direct term alone."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import SymLogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from rnndiag.figures._maps import binned, shown_units, symlog_ticks, unit_axis
from rnndiag.figures._style import SIGNED, legend_bar, sheet
from rnndiag.figures._timelines import time_label
from rnndiag.figures.base import Layer, Picture, Subject
from rnndiag.records import Array
from rnndiag.wording import counted

PLACE = 20
TITLE = "Gradient of each unit"
_DECADES, _MOST_DECADES = 4, 8
"""Powers of ten below the largest value that the colors tell apart; what is less is white. More
are told apart where a direct term that is far below the total would not be seen."""


def draw(subject: Subject) -> Iterator[Picture]:
    """One picture for each layer and direction that a gradient reaches."""
    for layer in subject.layers:
        sample = _sample(layer)
        if sample is not None:
            yield _picture(layer, sample)


def _sample(layer: Layer) -> int | None:
    """The first sample with finite gradients that are not all zero."""
    size = np.abs(layer.arrays.dL_dh).sum(axis=(1, 2))
    usable = np.flatnonzero(np.isfinite(size) & (size > 0))
    return int(usable[0]) if len(usable) else None


def _picture(layer: Layer, sample: int) -> Picture:
    total, direct = layer.arrays.dL_dh[sample].T, layer.arrays.direct[sample].T
    units = shown_units(np.abs(total).sum(axis=1))
    largest = float(np.abs(total).max())
    decades = _decades(largest, direct)
    figure = _drawn(layer, units, (total[units], direct[units]), decades)
    return Picture(
        name="gradient_map",
        title=TITLE,
        caption=f"{_caption(layer, sample, len(units), decades)}{_hidden(largest, direct, decades)}"
        f"{layer.input_told}",
        alt=_alt(total, direct, decades),
        figure=figure,
        layer=layer.report,
    )


def _decades(largest: float, direct: Array) -> int:
    """As many powers of ten as the direct term needs to be seen, within limits."""
    own = float(np.abs(direct).max())
    if own == 0 or not math.isfinite(own):
        return _DECADES
    needed = math.ceil(math.log10(largest) - math.log10(own)) + 1
    return max(_DECADES, min(needed, _MOST_DECADES))


def _drawn(layer: Layer, units: Array, maps: tuple[Array, Array], decades: int) -> Figure:
    figure: Figure
    largest = float(np.abs(maps[0]).max())
    figure, axes = sheet(f"{TITLE}: {layer.title}", 2, 1, height=5.6, sharex=True, sharey=True)
    norm = SymLogNorm(linthresh=largest * 10.0**-decades, vmin=-largest, vmax=largest)
    titles = ("total: through every later step", "direct term: a gradient of the output alone")
    for own, values, title in zip(axes, maps, titles, strict=True):
        extent = (-0.5, values.shape[1] - 0.5, len(values) - 0.5, -0.5)
        image = own.imshow(binned(values), aspect="auto", cmap=SIGNED, norm=norm, extent=extent)
        own.set_title(title)
        _rows(own, layer, units)
        own.grid(visible=False)
    axes[-1].set_xlabel(time_label(layer))
    axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    legend_bar(figure, image, axes, "dL/dh", ticks=symlog_ticks(largest, decades))
    return figure


def _rows(axes: Axes, layer: Layer, units: Array) -> None:
    ranked = "sum of |dL/dh|"
    if layer.run.positions == 1:
        unit_axis(axes, units, ranked)
        return
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    axes.set_ylabel("position × filter, ranked")


def _caption(layer: Layer, sample: int, shown: int, decades: int) -> str:
    source = "the loss" if layer.run.loss_log_norm is not None else "the pulse"
    return (
        f"dL/dh of {source} in sample {sample}, {_which(layer, shown)} with the largest sums of "
        f"|dL/dh| first. Both maps share one symmetric logarithmic scale over {decades} powers of "
        "ten. Where the lower one is white and the upper is not, the gradient comes through the "
        "recurrence."
    )


def _which(layer: Layer, shown: int) -> str:
    """What the rows are, and how many of them are shown."""
    units, places = layer.run.hidden_size, layer.run.positions
    rows = units * places
    kind = "unit" if places == 1 else "row"
    which = f"the {shown} of {rows} {kind}s" if shown < rows else f"all {counted(rows, kind)}"
    if places == 1:
        return which
    return f"{which} ({counted(units, 'filter')} at each of {places} positions)"


def _hidden(largest: float, direct: Array, decades: int) -> str:
    """A sentence where nothing of a direct term is to be seen, though there is one."""
    own = float(np.abs(direct).max())
    return " The direct term is below the scale." if 0 < own < largest * 10.0**-decades else ""


def _alt(total: Array, direct: Array, decades: int) -> str:
    steps = total.shape[1]
    reached = np.abs(total).max(axis=0) > 10.0**-decades * np.abs(total).max()
    own = np.abs(direct).max(axis=0) > 0
    return (
        f"Two heat maps of units by {counted(steps, 'timestep')}. The total gradient is within "
        f"{decades} powers of ten of its largest value at {int(reached.sum())} timesteps, "
        f"the direct term is there at {int(own.sum())}."
    )
