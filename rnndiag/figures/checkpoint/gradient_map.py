"""The gradient of every unit at every timestep: its total, and its direct term alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.colors import SymLogNorm
from matplotlib.figure import Figure

from rnndiag.figures._maps import binned, shown_units
from rnndiag.figures._style import SIGNED, legend_bar, sheet
from rnndiag.figures._timelines import time_label
from rnndiag.figures.base import Layer, Picture, Subject
from rnndiag.records import Array
from rnndiag.wording import counted

PLACE = 20
TITLE = "Gradient of each unit"
_DECADES = 4.0
"""Powers of ten below the largest value that the colors tell apart; what is less is white."""


def draw(subject: Subject) -> Iterator[Picture]:
    """One picture for each layer and direction that a gradient reaches."""
    for layer in subject.layers:
        sample = _sample(layer)
        if sample is not None:
            yield _picture(layer, sample)


def _sample(layer: Layer) -> int | None:
    """The first sample with finite gradients that are not all zero."""
    size = np.abs(layer.run.dL_dh).sum(axis=(1, 2))
    usable = np.flatnonzero(np.isfinite(size) & (size > 0))
    return int(usable[0]) if len(usable) else None


def _picture(layer: Layer, sample: int) -> Picture:
    total, direct = layer.run.dL_dh[sample].T, layer.run.direct[sample].T
    units = shown_units(np.abs(total).sum(axis=1))
    largest = float(np.abs(total).max())
    figure = _drawn(layer, (total[units], direct[units]), largest)
    return Picture(
        name="gradient_map",
        title=TITLE,
        caption=_caption(layer, sample, len(units)),
        alt=_alt(layer, total, direct),
        figure=figure,
        layer=layer.report,
    )


def _drawn(layer: Layer, maps: tuple[Array, Array], largest: float) -> Figure:
    figure: Figure
    figure, axes = sheet(f"{TITLE}: {layer.title}", 2, 1, height=5.6, sharex=True, sharey=True)
    norm = SymLogNorm(linthresh=largest * 10**-_DECADES, vmin=-largest, vmax=largest)
    titles = ("total: through every later step", "direct term: a gradient of the output alone")
    for own, values, title in zip(axes, maps, titles, strict=True):
        extent = (-0.5, values.shape[1] - 0.5, len(values) - 0.5, -0.5)
        image = own.imshow(binned(values), aspect="auto", cmap=SIGNED, norm=norm, extent=extent)
        own.set_title(title)
        own.set_ylabel("units by size")
        own.grid(visible=False)
    axes[-1].set_xlabel(time_label(layer))
    legend_bar(figure, image, axes, "dL/dh")
    return figure


def _caption(layer: Layer, sample: int, shown: int) -> str:
    units = layer.run.hidden_size
    which = f"the {shown} of {units} units" if shown < units else f"all {counted(units, 'unit')}"
    source = "the loss" if layer.run.loss_log_norm is not None else "the pulse"
    return (
        f"dL/dh of {source} in sample {sample}, {which} with the largest sums first. Both maps "
        f"share one symmetric logarithmic scale over {_DECADES:.0f} powers of ten. Where the "
        "lower one is white and the upper is not, the gradient comes through the recurrence."
    )


def _alt(layer: Layer, total: Array, direct: Array) -> str:
    steps = total.shape[1]
    reached = np.abs(total).max(axis=0) > 10**-_DECADES * np.abs(total).max()
    own = np.abs(direct).max(axis=0) > 0
    return (
        f"Two heat maps of units by {counted(steps, 'timestep')}. The total gradient is within "
        f"{_DECADES:.0f} powers of ten of its largest value at {int(reached.sum())} timesteps, "
        f"the direct term is there at {int(own.sum())}."
    )
