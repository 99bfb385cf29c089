"""Every quantity's change in one view, by how many times or points it grew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from rnndiag.figures._style import BLACK, BLUE, GRAY, GREEN, VERMILION, sheet
from rnndiag.figures.base import Picture
from rnndiag.outputs.comparisons import _words as words
from rnndiag.records import Change, Comparison, LayerPair
from rnndiag.wording import title

PLACE = 10
TITLE = "What changed"
_COLORS = {"worse": VERMILION, "better": GREEN, "changed": BLUE, "same": GRAY}
_MARKS = {"worse": "v", "better": "^", "changed": "o", "same": "o"}
_END = 6.0
"""Doublings at which the axis ends."""


def draw(comparison: Comparison) -> Iterator[Picture]:
    """One picture for each pair of layers of which anything can be compared."""
    for pair in comparison.pairs:
        times = [own for own in pair.changes if _is_ratio(own)]
        points = [own for own in pair.changes if own.unit == "share" and own.verdict in _COLORS]
        if times or points:
            yield _picture(pair, times, points)


def _is_ratio(change: Change) -> bool:
    values = (change.before or 0.0, change.after or 0.0)
    return change.relative and min(values) > 0 and bool(np.isfinite(values).all())


def _picture(pair: LayerPair, times: Sequence[Change], points: Sequence[Change]) -> Picture:
    figure, (above, below) = sheet(
        f"{TITLE}: {title(pair.after)}",
        2,
        1,
        height=2.2 + 0.34 * (len(times) + len(points)),
        height_ratios=(max(1, len(times)), max(1, len(points))),
    )
    _lollipops(above, times, [float(np.log2(_ratio(own))) for own in times])
    above.set_xlim(-_END - 0.5, _END + 0.5)
    above.set_xticks(np.arange(-_END, _END + 1, 2))
    above.xaxis.set_major_formatter(FuncFormatter(lambda power, _: _times(power)))
    _lollipops(below, points, [100 * _difference(own) for own in points])
    below.set_xlim(-105, 105)
    below.set_xlabel("change in points of a share")
    return Picture(
        name="changes",
        title=TITLE,
        caption=_caption(times, points),
        alt=f"Changes of {title(pair.after)}: {_alt([*times, *points])}.",
        figure=figure,
        layer=pair.after,
    )


def _ratio(change: Change) -> float:
    assert change.before
    assert change.after
    return change.after / change.before


def _difference(change: Change) -> float:
    assert change.before is not None
    assert change.after is not None
    return change.after - change.before


def _times(power: float) -> str:
    return f"×{2.0**power:g}" if power >= 0 else f"÷{2.0**-power:g}"


def _lollipops(axes: Axes, changes: Sequence[Change], sizes: Sequence[float]) -> None:
    axes.axvline(0, color=BLACK, lw=1)
    for row, (change, size) in enumerate(zip(changes, sizes, strict=True)):
        color = _COLORS[change.verdict]
        shown = float(np.clip(size, -_END, _END)) if change.relative else size
        axes.plot([0, shown], [row, row], color=color)
        axes.plot([shown], [row], _MARKS[change.verdict], color=color, ms=8)
    labels = [f"{own.label}: {words.told(own)}" for own in changes]
    axes.set_yticks(range(len(changes)), labels)
    axes.set_ylim(max(1, len(changes)) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")


def _caption(times: Sequence[Change], points: Sequence[Change]) -> str:
    beyond = [own.label for own in times if abs(np.log2(_ratio(own))) > _END]
    more = f" Beyond the axis: {', '.join(beyond)}." if beyond else ""
    return (
        "Above, by how many times each quantity grew; below, shares. Down-pointing marks are "
        "worse, up-pointing ones better, blue dots neither in themselves, gray ones within the "
        f"tolerance.{more}"
    )


def _alt(changes: Sequence[Change]) -> str:
    return "; ".join(f"{own.label} {words.told(own)}, {own.verdict}" for own in changes)
