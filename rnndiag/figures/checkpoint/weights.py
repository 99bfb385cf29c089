"""Kernel and recurrent kernel side by side, the bias below them, gate by gate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.ticker import MaxNLocator

from rnndiag.figures._maps import binned
from rnndiag.figures._style import BLACK, SIGNED, YELLOW, legend_bar, note, sheet
from rnndiag.figures.base import Layer, Picture, Subject
from rnndiag.records import Array, LayerWeights
from rnndiag.wording import number

PLACE = 40
TITLE = "Weights"
_MOST_ROWS, _MOST_COLUMNS = 400, 600
_CLIPPED = 99.8
"""Percentile of |w| at which the colors end: a single outlier must not bleach all the others."""
_NOT_FINITE = "#ffff00"


def draw(subject: Subject) -> Iterator[Picture]:
    """One picture for each layer and direction."""
    for layer in subject.layers:
        yield _picture(layer)


def _picture(layer: Layer) -> Picture:
    weights = layer.run.weights
    end, clipped = _end(weights)
    figure, axes = sheet(
        f"{TITLE}: {layer.title}",
        2,
        2,
        height=5.2,
        height_ratios=(6, 1),
        sharex="col",
        squeeze=False,
    )
    norm = Normalize(-end, end)
    biases = (weights.bias, weights.recurrent_bias)
    matrices = (("kernel", weights.kernel), ("recurrent kernel", weights.recurrent_kernel))
    for (above, below), (name, matrix), bias in zip(axes.T, matrices, biases, strict=True):
        image = _map(above, matrix, weights.gates, norm)
        above.set_title(f"{name} {' × '.join(map(str, matrix.shape))}")
        _bias(below, bias, weights.gates, norm, summed=name == "kernel")
        if bias is not None:
            below.set_title(_bias_told(bias, recurrent=name != "kernel"), fontsize=10, pad=4)
        _gate_names(below, weights.gates, matrix.shape[1])
    window = "window × " if weights.window > 1 else ""
    axes[0, 0].set_ylabel(f"{window}{'channel' if window else 'input'}")
    axes[0, 1].set_ylabel(f"{window}{'filter' if window else 'unit'}")
    if weights.bias is None:
        axes[1, 0].set_ylabel("bias")
    legend_bar(figure, image, axes, "weight", extend="both" if clipped else "neither")
    return Picture(
        name="weights",
        title=TITLE,
        caption=_caption(weights, end, clipped),
        alt=_alt(weights),
        figure=figure,
        layer=layer.report,
    )


def _arrays(weights: LayerWeights) -> dict[str, Array]:
    named = {
        "kernel": weights.kernel,
        "recurrent kernel": weights.recurrent_kernel,
        "bias": weights.bias,
        "recurrent bias": weights.recurrent_bias,
    }
    return {name: array for name, array in named.items() if array is not None}


def _end(weights: LayerWeights) -> tuple[float, bool]:
    """Where the colors of all the maps end, and whether some weights lie beyond."""
    named = _arrays(weights)
    every = _sizes(*named.values())
    # Of the matrices alone: biases are few and often larger, and would bleach all the rest.
    size = _sizes(named["kernel"], named["recurrent kernel"])
    if not every.any():
        return 1.0, False
    end = float(np.percentile(size, _CLIPPED)) if size.any() else 0.0
    end = end or float(every.max())
    return end, bool(every.max() > end)


def _sizes(*arrays: Array) -> Array:
    size = np.abs(np.concatenate([array.ravel() for array in arrays]).astype(float))
    found: Array = size[np.isfinite(size)]
    return found


# ---------------------------------------------------------------- what is drawn


def _map(axes: Axes, matrix: Array, gates: Sequence[str], norm: Normalize) -> Any:
    shown = binned(binned(matrix, _MOST_COLUMNS).T, _MOST_ROWS).T
    rows, columns = matrix.shape
    colors = mpl.colormaps[SIGNED].with_extremes(bad=_NOT_FINITE)
    extent = (-0.5, columns - 0.5, rows - 0.5, -0.5)
    masked = np.ma.masked_invalid(shown)
    image = axes.imshow(masked, aspect="auto", cmap=colors, norm=norm, extent=extent)
    for k in range(1, len(gates)):
        axes.axvline(k * columns / len(gates) - 0.5, color=BLACK, lw=0.8)
    axes.grid(visible=False)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.tick_params(axis="x", length=0)
    _mark_broken(axes, matrix, gates)
    return image


def _mark_broken(axes: Axes, matrix: Array, gates: Sequence[str]) -> None:
    """How many values of each gate are NaN or infinite, written on it."""
    blocks = np.split(~np.isfinite(matrix), len(gates), axis=-1)
    width = matrix.shape[-1] / len(gates)
    for place, block in enumerate(blocks):
        if count := int(block.sum()):
            box = {"facecolor": YELLOW, "edgecolor": BLACK, "pad": 2}
            at = ((place + 0.5) * width, 0.5)
            where = axes.get_xaxis_transform()
            told = f"{count} NaN/∞"
            axes.text(*at, told, transform=where, ha="center", va="center", bbox=box, fontsize=9)


def _bias(
    axes: Axes, bias: Array | None, gates: Sequence[str], norm: Normalize, *, summed: bool
) -> None:
    if bias is not None:
        _map(axes, bias[None], gates, norm)
    elif summed:
        note(axes, "none")
    else:
        # Only a GRU of the newer kind has a second bias: elsewhere there is none to miss.
        axes.spines[:].set_visible(False)
    axes.grid(visible=False)
    axes.set_yticks([])


def _bias_told(bias: Array, *, recurrent: bool) -> str:
    """``bias -5.1 … 5.8``: its colors alone end where those of the matrices do."""
    name = "recurrent bias" if recurrent else "bias"
    finite = bias[np.isfinite(bias)].astype(float)
    return f"{name} {finite.min():.3g} … {finite.max():.3g}" if finite.size else name


def _gate_names(axes: Axes, gates: Sequence[str], columns: int) -> None:
    width = columns / len(gates)
    middles = [(k + 0.5) * width - 0.5 for k in range(len(gates))]
    axes.set_xticks(middles, gates, rotation=25 if len(gates) > 2 else 0)
    axes.tick_params(axis="x", length=0)


# ---------------------------------------------------------------- what is said


def _caption(weights: LayerWeights, end: float, clipped: bool) -> str:
    rows, columns = max(weights.kernel.shape[0], len(weights.recurrent_kernel)), _columns(weights)
    binned_told = (
        " Neighbors share a pixel, which shows the largest of them: a mean would cancel."
        if rows > _MOST_ROWS or columns > _MOST_COLUMNS
        else ""
    )
    beyond = " What lies beyond it has its color." if clipped else ""
    return (
        f"One symmetric color scale for all, ±{number(end, 3)}; black lines part the gates."
        f"{beyond}{binned_told}"
    )


def _columns(weights: LayerWeights) -> int:
    return int(weights.kernel.shape[1])


def _alt(weights: LayerWeights) -> str:
    told = []
    for name, array in _arrays(weights).items():
        finite = array[np.isfinite(array)]
        largest = number(float(np.abs(finite).max()), 3) if finite.size else "nothing finite"
        broken = array.size - finite.size
        told.append(f"{name} to ±{largest}" + (f" with {broken} NaN or infinite" if broken else ""))
    return f"Heat maps of {len(weights.gates)} gates: {', '.join(told)}."
