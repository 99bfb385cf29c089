"""How large the weights of each gate are, against how large they started."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from rnndiag.figures._starts import bias_starts
from rnndiag.figures._starts import starts as starts_of
from rnndiag.figures._style import BLACK, PARTS, legend, sheet
from rnndiag.figures.base import Layer, Picture, Subject
from rnndiag.measurements.initial_growth import InitialGrowth
from rnndiag.measurements.weight_norms import GateNorms, WeightNorms
from rnndiag.wording import number

PLACE = 70
TITLE = "Weights by gate"
_WIDTH = 0.27
"""Of a bar; three of them stand at each gate."""


def draw(subject: Subject) -> Iterator[Picture]:
    """One picture for each layer and direction whose weights are finite."""
    for layer, norms in subject.measured("weight_norms", WeightNorms):
        yield _picture(layer, norms)


def _picture(layer: Layer, norms: WeightNorms) -> Picture:
    figure, axes = sheet(f"{TITLE}: {layer.title}")
    growth = layer.report.fact("initial_growth")
    starts = starts_of(norms, growth) if isinstance(growth, InitialGrowth) else {}
    for place, part in enumerate(PARTS):
        _bars(axes, norms, part, (place - 1) * _WIDTH)
        if part in starts:
            _starts(axes, part, (place - 1) * _WIDTH, _by_gate(layer, part, starts[part]))
    axes.set_xticks(range(len(norms.gates)), list(norms.gates))
    axes.set_ylabel("root mean square")
    axes.grid(visible=False, axis="x")
    legend(figure, axes, columns=2)
    return Picture(
        name="weight_norms",
        title=TITLE,
        caption=_caption(growth if starts else None),
        alt=_alt(norms, starts),
        figure=figure,
        layer=layer.report,
    )


def _bars(axes: Axes, norms: WeightNorms, part: str, offset: float) -> None:
    sizes = [_rms(gate, part) for gate in norms.gates.values()]
    if not any(size is not None for size in sizes):
        return
    places = np.arange(len(sizes)) + offset
    heights = [size or 0.0 for size in sizes]
    axes.bar(places, heights, _WIDTH, color=PARTS[part], label=_NAMES[part])


def _by_gate(layer: Layer, part: str, start: float) -> Sequence[float | None]:
    """Matrices start alike in all gates, biases do not."""
    if part == "bias":
        return bias_starts(layer.run, start)
    return [start] * len(layer.run.weights.gates)


def _starts(axes: Axes, part: str, offset: float, starts: Sequence[float | None]) -> None:
    """A dotted line over each bar that did not start at 0."""
    there = [(place + offset, own) for place, own in enumerate(starts) if own is not None]
    places, heights = np.array(there).T
    label = "at initialisation" if part == "kernel" else ""
    ends = places - _WIDTH / 2, places + _WIDTH / 2
    axes.hlines(heights, *ends, color=BLACK, ls=":", label=label)


_NAMES: Mapping[str, str] = {
    "kernel": "kernel",
    "recurrent": "recurrent kernel",
    "bias": "bias",
}


def _rms(gate: GateNorms, part: str) -> float | None:
    norm = getattr(gate, part)
    return None if norm is None else float(norm.rms)


def _caption(growth: InitialGrowth | None) -> str:
    told = (
        f" Dotted: as expected after initialisation ({growth.initialisation}), whatever was "
        "really used."
        if growth is not None
        else ""
    )
    return (
        "Root mean square of each gate's weights, which, unlike a norm, does not grow with the "
        f"number of inputs and units.{told}"
    )


def _alt(norms: WeightNorms, starts: Mapping[str, float]) -> str:
    told = []
    for part, name in _NAMES.items():
        size = getattr(norms, f"rms_{part}")
        if size is not None:
            start = f" (from {number(starts[part], 3)})" if part in starts else ""
            told.append(f"{name} {number(size, 3)}{start}")
    return f"Bars for {', '.join(norms.gates)}. Root mean square over all gates: {', '.join(told)}."
