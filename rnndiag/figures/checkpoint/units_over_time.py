"""What the most and the least active units do over time, and what gradient reaches them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import PlaceHolderLayoutEngine
from matplotlib.ticker import MaxNLocator

from rnndiag.figures._maps import shown_units
from rnndiag.figures._samples import sample_legend, sample_lines
from rnndiag.figures._style import hide_inner, plain_numbers, sheet
from rnndiag.figures._timelines import (
    has_padding,
    mean_sizes,
    place_told,
    shown_columns,
    shown_samples,
    time_label,
)
from rnndiag.figures.base import Layer, Picture, Subject
from rnndiag.records import Array
from rnndiag.wording import counted, number

PLACE = 30
TITLE = "Units over time"
_ENDS = 3
"""How many of the most active units are shown, and how many of the least."""
_MOST_SAMPLES = 3
_LONG = 300
"""Timesteps; in longer sequences several lines would cover each other."""
_LEAST = 1e-4
"""Share of the largest gradient down to which a logarithmic axis tells gradients apart."""
_SMALL = 0.03
"""Where half of the gradients are below this share of the largest, a linear axis hides them."""


@dataclass(frozen=True, kw_only=True)
class _Shown:
    """What is drawn; arrays (samples, T, units), gaps are NaN."""

    samples: list[int]
    units: Array
    """Their indices, the most active first."""
    sizes: Array
    """(H,) mean |h| of all units."""
    states: Array
    gradients: Array
    """Over `largest`."""
    largest: float
    """Size of the largest gradient among them."""
    real: Array
    """(samples, T) bool."""

    @property
    def is_wide(self) -> bool:
        """Whether the gradients span too many powers of ten for a linear axis."""
        found = np.abs(self.gradients)
        found = found[found > 0]
        return bool(found.size and np.median(found) < _SMALL)


def draw(subject: Subject) -> Iterator[Picture]:
    """One picture for each layer and direction with a finite state to show."""
    for layer in subject.layers:
        shown = _shown(layer) if layer.run.mask.any() else None
        if shown is not None and np.isfinite(shown.states).any():
            yield _picture(layer, shown)


def _shown(layer: Layer) -> _Shown:
    run, arrays = layer.run, layer.arrays
    sizes = mean_sizes(layer)
    samples = shown_samples(run, _MOST_SAMPLES if run.mask.shape[1] <= _LONG else 1)
    order = shown_units(sizes, len(sizes))
    units = order if len(order) <= 2 * _ENDS else np.r_[order[:_ENDS], order[-_ENDS:]]
    columns, seen = shown_columns(layer)[units], run.mask[samples, :, None]
    states = _gapped(arrays.h[samples][..., columns], seen)
    gradients = _gapped(arrays.dL_dh[samples][..., columns], seen)
    largest = float(np.nanmax(np.abs(gradients))) if np.isfinite(gradients).any() else 0.0
    return _Shown(
        samples=samples,
        units=units,
        sizes=sizes,
        states=states,
        gradients=gradients / (largest or 1.0),
        largest=largest,
        real=run.real[samples],
    )


def _gapped(values: Array, seen: Array) -> Array:
    return np.where(seen & np.isfinite(values), values, np.nan).astype(np.float64)


def _picture(layer: Layer, shown: _Shown) -> Picture:
    return Picture(
        name="units_over_time",
        title=TITLE,
        caption=f"{_caption(layer, shown)}{layer.input_told}",
        alt=_alt(shown),
        figure=_drawn(layer, shown),
        layer=layer.report,
    )


# ---------------------------------------------------------------- what is drawn

_TOP, _BOTTOM, _ROW, _SIDE = 0.4, 0.95, 1.15, 0.85
"""Inches above, below and for each row, and beside each column."""


def _arrange(figure: Figure, columns: int) -> None:
    """Place the axes by hand: asking twelve for the room they need takes longer than the rest."""
    width, height = figure.get_size_inches()
    figure.set_layout_engine(
        PlaceHolderLayoutEngine(adjust_compatible=True, colorbar_gridspec=False)
    )
    column = (width - columns * _SIDE - 0.1) / columns
    figure.subplots_adjust(
        left=_SIDE / width,
        right=1 - 0.1 / width,
        top=1 - (_TOP + 0.25) / height,
        bottom=_BOTTOM / height,
        wspace=_SIDE / column,
        hspace=0.4,
    )


def _drawn(layer: Layer, shown: _Shown) -> Figure:
    rows, sides = len(shown.units), _sides(shown)
    figure: Figure
    figure, axes = sheet(
        f"{TITLE}: {layer.title}",
        rows,
        len(sides),
        height=_TOP + _BOTTOM + _ROW * rows,
        sharex=True,
        sharey="col",
        squeeze=False,
    )
    _arrange(figure, len(sides))
    for column, (label, values) in zip(axes.T, sides.items(), strict=True):
        for row, own in enumerate(column):
            sample_lines(own, values[..., row], shown.real, shown.samples)
            own.set_ylabel(label, fontsize=11 if label == "h" else 9)
    ranks = _ranks(rows, len(shown.sizes))
    for own, unit, rank in zip(axes[:, 0], shown.units, ranks, strict=True):
        own.set_title(f"{rank}: unit {unit}, {_size_told(shown.sizes[unit])}")
    if len(sides) > 1:
        axes[0, 1].set_title(f"the largest is {shown.largest:.3g}")
        _gradient_scale(axes[0, 1], shown)
    _state_scale(axes[0, 0], shown)
    hide_inner(axes[:-1].flat, "x")
    for own in axes[-1]:
        own.set_xlabel(time_label(layer))
    sample_legend(figure, axes[0, 0])
    return figure


def _sides(shown: _Shown) -> dict[str, Array]:
    """What the columns show; gradients of which none is finite have no column."""
    sides = {"h": shown.states}
    if np.isfinite(shown.gradients).any():
        sides["dL/dh / largest"] = shown.gradients
    return sides


def _state_scale(axes: Axes, shown: _Shown) -> None:
    axes.yaxis.set_major_locator(MaxNLocator(nbins=3, steps=[1, 2, 5, 10]))
    plain_numbers(axes.yaxis)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    # Masked steps at either end count as time, too.
    axes.set_xlim(-0.5, shown.states.shape[1] - 0.5)


def _size_told(size: float) -> str:
    return f"mean |h| {number(size, 3)}" if np.isfinite(size) else "not finite"


def _ranks(shown: int, units: int) -> list[str]:
    """``1st`` would need endings: plain numbers, counted from 1 over all units."""
    own = range(shown) if shown == units else (*range(_ENDS), *range(units - _ENDS, units))
    return [f"{rank + 1} of {units}" for rank in own]


def _gradient_scale(axes: Axes, shown: _Shown) -> None:
    axes.set_ylim(-1.2, 1.2)
    if not shown.is_wide:
        axes.set_yticks([-1, 0, 1], ["-1", "0", "1"])
        return
    # 1.8: the linear part is as wide as two powers of ten, so that ticks stand evenly.
    axes.set_yscale("symlog", linthresh=_LEAST, linscale=1.8)
    axes.set_ylim(-3, 3)
    axes.set_yticks([-1, -0.001, 0, 0.001, 1], ["-1", "-0.001", "0", "0.001", "1"])
    axes.set_yticks([], minor=True)


# ---------------------------------------------------------------- what is said


def _caption(layer: Layer, shown: _Shown) -> str:
    run = layer.run
    few = len(shown.units) == len(shown.sizes)
    which = (
        f"all {counted(len(shown.sizes), 'unit')}"
        if few
        else f"the {_ENDS} most and the {_ENDS} least active of {len(shown.sizes)} units"
    )
    source = "the loss" if run.loss_log_norm is not None else "the pulse"
    scale = f", logarithmic down to {_LEAST:g} of it on either side of 0" if shown.is_wide else ""
    gradients = f"gradients are over the largest that is drawn{scale}"
    if len(_sides(shown)) == 1:
        gradients = "no gradient is finite, and none is drawn"
    padding = (
        " Pale: trailing padding that the network does not mask."
        if has_padding(run, shown.samples)
        else ""
    )
    return (
        f"State h and total gradient of {source} of {which}, by mean |h| over the probe, in "
        f"{counted(len(shown.samples), 'sample')}. A column shares its axis; {gradients}."
        f"{_gaps(shown)}{padding}{place_told(run)}"
    )


def _gaps(shown: _Shown) -> str:
    return " Lines break where a step is masked or broken." if np.isnan(shown.states).any() else ""


def _alt(shown: _Shown) -> str:
    steps = counted(shown.states.shape[1], "timestep")
    return (
        f"Lines over {steps}, {counted(len(shown.samples), 'sample')}: {_told(shown)}."
        f" The largest gradient drawn is {shown.largest:.3g}."
    )


def _told(shown: _Shown) -> str:
    parts = []
    for place, unit in enumerate(shown.units):
        own = shown.states[..., place]
        found = own[np.isfinite(own)]
        if found.size:
            parts.append(f"unit {unit} from {number(found.min())} to {number(found.max())}")
    return ", ".join(parts)
