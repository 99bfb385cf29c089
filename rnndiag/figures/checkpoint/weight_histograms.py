"""How the weights of each gate are distributed, against the width they started with."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from rnndiag.figures._grids import label_edges
from rnndiag.figures._starts import starts
from rnndiag.figures._style import BLACK, PARTS, legend, plain_numbers, sheet
from rnndiag.figures.base import Layer, Picture, Subject
from rnndiag.measurements._gates import bias_of, columns
from rnndiag.measurements._steps import arrays_of
from rnndiag.measurements.initial_growth import InitialGrowth
from rnndiag.measurements.weight_norms import WeightNorms
from rnndiag.records import Array, LayerWeights
from rnndiag.wording import number

PLACE = 42
TITLE = "Distribution of the weights"
_BINS = 61
"""Odd, so that zero stands in the middle of a bin."""
_USUAL, _ROOM = 99.8, 3.0
"""Axes end at the largest |w|, or at _ROOM times this percentile of the matrices' if that is
nearer: few outliers must not press all the others into one bin."""
_SAMPLE = 500_000
"""Weights that tell that percentile."""
_MANY = 100
"""Weights in the fullest bin from which counts are shown on a log axis: tails would vanish."""
_LEAST, _LARGEST = 1e-250, 1e250
"""Ends of the axes that can be drawn."""


@dataclass(frozen=True, kw_only=True)
class _Scale:
    """What all the gates' axes share."""

    edges: Array
    end: float
    log: bool
    beyond: int
    """Weights that lie outside, and are counted in the outermost bins."""


def draw(subject: Subject) -> Iterator[Picture]:
    """One picture for each layer and direction that has finite weights."""
    for layer in subject.layers:
        if any(np.isfinite(array).any() for array in arrays_of(layer.run.weights)):
            yield _picture(layer)


def _picture(layer: Layer) -> Picture:
    weights, began = layer.run.weights, _starts(layer)
    scale = _scale(weights)
    rows, across = -(-len(weights.gates) // 2), min(2, len(weights.gates))
    figure, axes = sheet(
        f"{TITLE}: {layer.title}",
        rows,
        across,
        height=1.3 + 2.3 * rows,
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    for own, gate in zip(axes.flat, weights.gates, strict=False):
        _gate(own, weights, gate, scale)
        _width(own, began)
    _axes(axes[0, 0], scale)
    label_edges(axes, len(weights.gates), "weight", "share of weights a bin")
    legend(figure, axes[0, 0], columns=2)
    return Picture(
        name="weight_histograms",
        title=TITLE,
        caption=_caption(scale, layer if began else None),
        alt=_alt(weights, scale),
        figure=figure,
        layer=layer.report,
    )


def _starts(layer: Layer) -> Mapping[str, float]:
    """The root mean squares of the matrices after initialisation; none where not measured."""
    norms, growth = layer.report.fact("weight_norms"), layer.report.fact("initial_growth")
    if not isinstance(norms, WeightNorms) or not isinstance(growth, InitialGrowth):
        return {}
    # Biases start at one or two values: there is no width to compare them with.
    return {part: rms for part, rms in starts(norms, growth).items() if part != "bias"}


# ---------------------------------------------------------------- what is drawn


def _finite(array: Array) -> Array:
    flat: Array = array.ravel().astype(np.float64)
    finite = np.isfinite(flat)
    return flat if finite.all() else flat[finite]


def _scale(weights: LayerWeights) -> _Scale:
    """One range for all gates and parts, symmetric about zero."""
    matrices = [_finite(array) for array in (weights.kernel, weights.recurrent_kernel)]
    every = [_finite(array) for array in arrays_of(weights)]
    largest = max(float(np.abs(own).max(initial=0.0)) for own in every)
    sizes = np.abs(np.concatenate(matrices))
    sizes = sizes[:: max(1, sizes.size // _SAMPLE)]
    usual = float(np.percentile(sizes, _USUAL)) if sizes.any() else largest
    end = min(largest, _ROOM * (usual or largest), _LARGEST)
    end = end if end > _LEAST else 1.0
    fullest = max(
        _counts(columns(matrix, weights, gate), end).max()
        for matrix in (weights.kernel, weights.recurrent_kernel)
        for gate in weights.gates
    )
    return _Scale(
        edges=np.linspace(-end, end, _BINS + 1),
        end=end,
        log=bool(fullest > _MANY),
        beyond=sum(int((np.abs(own) > end).sum()) for own in every),
    )


def _counts(block: Array, end: float) -> Array:
    """(_BINS,) weights in each bin; those beyond the ends are in the outermost."""
    within = np.clip(_finite(block), -end, end)
    counts: Array = np.histogram(within, bins=_BINS, range=(-end, end))[0]
    return counts


_NAMES: Mapping[str, str] = {"kernel": "kernel", "recurrent": "recurrent kernel"}


def _gate(axes: Axes, weights: LayerWeights, gate: str, scale: _Scale) -> None:
    matrices = {"kernel": weights.kernel, "recurrent": weights.recurrent_kernel}
    for part, matrix in matrices.items():
        block = columns(matrix, weights, gate)
        counts = _counts(block, scale.end)
        filled = part == "kernel"
        axes.stairs(
            counts / max(1, counts.sum()),
            scale.edges,
            fill=filled,
            color=PARTS[part],
            alpha=0.45 if filled else 1.0,
            lw=0 if filled else 1.6,
            label=f"{_NAMES[part]} ({block.size:,} a gate)",
        )
    bias = bias_of(weights, gate)
    if bias is not None:
        _rug(axes, np.clip(_finite(bias), -scale.end, scale.end))
    axes.set_title(f"{gate}{_broken(weights, gate)}")


def _rug(axes: Axes, bias: Array) -> None:
    """A tick for each bias at the foot of the axes: too few for a distribution of their own."""
    label = f"bias ({bias.size:,} a gate)"
    foot = np.full(bias.size, 0.035)
    place = axes.get_xaxis_transform()
    axes.plot(bias, foot, "|", ms=9, alpha=0.7, color=PARTS["bias"], transform=place, label=label)


def _broken(weights: LayerWeights, gate: str) -> str:
    """How many values of a gate cannot be drawn."""
    blocks = [columns(w, weights, gate) for w in (weights.kernel, weights.recurrent_kernel)]
    bias = bias_of(weights, gate)
    counts = (int((~np.isfinite(b)).sum()) for b in (*blocks, *([] if bias is None else [bias])))
    count = sum(counts)
    return f": {count} NaN/∞" if count else ""


def _width(axes: Axes, began: Mapping[str, float]) -> None:
    sizes = list(began.values())
    if len(sizes) == 2 and math.isclose(*sizes, rel_tol=1e-6):
        _lines(axes, sizes[0], BLACK, "± RMS at the start, both")
        return
    for part, rms in began.items():
        _lines(axes, rms, PARTS[part], f"± RMS at the start, {_NAMES[part]}")


def _lines(axes: Axes, rms: float, color: str, label: str) -> None:
    axes.axvline(-rms, color=color, ls=":", lw=1.4)
    axes.axvline(rms, color=color, ls=":", lw=1.4, label=label)


def _axes(axes: Axes, scale: _Scale) -> None:
    axes.set_xlim(-1.03 * scale.end, 1.03 * scale.end)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, symmetric=True))
    plain_numbers(axes.xaxis)
    if scale.log:
        axes.set_yscale("log")
        axes.minorticks_off()
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))


# ---------------------------------------------------------------- what is said


def _caption(scale: _Scale, compared: Layer | None) -> str:
    log = " The axis upwards is logarithmic, so that the tails are seen." if scale.log else ""
    reach = number(scale.end, 3)
    beyond = f" At the ends: {scale.beyond:,} beyond ±{reach}, biases included."
    beyond = beyond if scale.beyond else ""
    start = ""
    if compared is not None:
        name = compared.report.fact("initial_growth").initialisation
        start = f" Dotted: ± the root mean square expected after initialisation ({name})."
    return (
        f"Each gate's weights in {_BINS} bins, the same for all, as shares of the gate's own "
        f"matrix; each bias is a tick at the foot.{log}{beyond}{start}"
    )


def _alt(weights: LayerWeights, scale: _Scale) -> str:
    told = (f"{gate} {_widths(weights, gate)}{_broken(weights, gate)}" for gate in weights.gates)
    reach = number(scale.end, 3)
    return f"Histograms from -{reach} to {reach}. Standard deviations: {'; '.join(told)}."


def _widths(weights: LayerWeights, gate: str) -> str:
    blocks = (columns(w, weights, gate) for w in (weights.kernel, weights.recurrent_kernel))
    kernel, recurrent = (number(_deviation(_finite(block)), 3) for block in blocks)
    return f"kernel {kernel}, recurrent kernel {recurrent}"


def _deviation(values: Array) -> float | None:
    """Of numbers whose squares may lie beyond what can be represented."""
    size = float(np.abs(values).max(initial=0.0))
    if not values.size or size < _LEAST or size > _LARGEST:
        return 0.0 if values.size and size < _LEAST else None
    return float((values / size).std()) * size
