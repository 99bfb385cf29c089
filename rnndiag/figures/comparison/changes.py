"""Every quantity's change in one view: how many times, points or steps of an exponent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from rnndiag.figures._style import BLACK, BLUE, GRAY, GREEN, VERMILION, legend, sheet
from rnndiag.figures.base import Picture
from rnndiag.outputs.words import comparisons as words
from rnndiag.records import Change, Comparison, LayerPair
from rnndiag.wording import title

PLACE = 10
TITLE = "What changed"
_COLORS = {"worse": VERMILION, "better": GREEN, "changed": BLUE, "same": GRAY}
_MARKS = {"worse": "v", "better": "^", "changed": "o", "same": "o"}
_NAMES = {"worse": "worse", "better": "better", "changed": "changed", "same": "within tolerance"}
_LEAST, _MOST = 1.0, 6.0
"""Doublings between which the axis of ratios ends."""
_LEAST_POINTS = 10.0
_LEAST_DIFFERENCE = 0.05


def draw(comparison: Comparison) -> Iterator[Picture]:
    """One picture for each pair of layers of which anything can be compared."""
    for pair in comparison.pairs:
        known = [own for own in pair.changes if own.verdict in _COLORS]
        times = [own for own in known if _is_ratio(own) or _is_endless(own)]
        points = [own for own in known if own.unit == "share"]
        exponents = [own for own in known if own.unit == "per step"]
        if times or points or exponents:
            yield _picture(pair, times, points, exponents)


def _is_endless(change: Change) -> bool:
    return change.before_endless or change.after_endless


def _is_ratio(change: Change) -> bool:
    values = (change.before or 0.0, change.after or 0.0)
    return change.relative and min(values) > 0 and bool(np.isfinite(values).all())


def _picture(
    pair: LayerPair, times: Sequence[Change], points: Sequence[Change], exponents: Sequence[Change]
) -> Picture:
    every = [*times, *points, *exponents]
    counts = [max(1, len(own)) for own in (times, points, exponents)]
    figure, axes = sheet(
        f"{TITLE}: {title(pair.after)}",
        3 if exponents else 2,
        1,
        height=2.6 + 0.34 * len(every) + 0.6 * bool(exponents),
        height_ratios=counts if exponents else counts[:2],
    )
    end = _times_axis(axes[0], times)
    _points_axis(axes[1], points)
    if exponents:
        _differences_axis(axes[2], exponents)
    _key(axes[0])
    legend(figure, axes[0], columns=4)
    return Picture(
        name="changes",
        title=TITLE,
        caption=_caption(times, end),
        alt=f"Changes of {title(pair.after)}: {_alt(every)}.",
        figure=figure,
        layer=pair.after,
    )


# ---------------------------------------------------------------- three axes


def _times_axis(axes: Axes, changes: Sequence[Change]) -> float:
    """Ratios as doublings, what has none in words; gives the doublings at which the axis ends."""
    sizes = [0.0 if _is_endless(own) else float(np.log2(_ratio(own))) for own in changes]
    end = float(np.clip(np.ceil(max(map(abs, sizes), default=0.0)), _LEAST, _MOST))
    _lollipops(axes, changes, [float(np.clip(size, -end, end)) for size in sizes])
    axes.set_xlim(-1.08 * end, 1.08 * end)
    axes.set_xticks(np.linspace(-end, end, 7 if end % 3 == 0 else 5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda power, _: _times(power)))
    return end


def _points_axis(axes: Axes, changes: Sequence[Change]) -> None:
    sizes = [100 * _difference(own) for own in changes]
    _lollipops(axes, changes, sizes)
    end = 1.05 * max([_LEAST_POINTS, *map(abs, sizes)])
    axes.set_xlim(-end, end)
    axes.set_xlabel("change in points of a share")


def _differences_axis(axes: Axes, changes: Sequence[Change]) -> None:
    sizes = [_difference(own) for own in changes]
    _lollipops(axes, changes, sizes)
    end = 1.1 * max([_LEAST_DIFFERENCE, *map(abs, sizes)])
    axes.set_xlim(-end, end)
    axes.set_xlabel("difference per step")


def _key(axes: Axes) -> None:
    """What the marks mean, for the legend."""
    for verdict, name in _NAMES.items():
        axes.plot([], [], _MARKS[verdict], color=_COLORS[verdict], ms=8, label=name)


def _ratio(change: Change) -> float:
    assert change.before
    assert change.after
    return change.after / change.before


def _difference(change: Change) -> float:
    assert change.before is not None
    assert change.after is not None
    return change.after - change.before


def _times(power: float) -> str:
    return f"×{2.0**power:.3g}" if power >= 0 else f"÷{2.0**-power:.3g}"


def _lollipops(axes: Axes, changes: Sequence[Change], sizes: Sequence[float]) -> None:
    axes.axvline(0, color=BLACK, lw=1)
    for row, (change, size) in enumerate(zip(changes, sizes, strict=True)):
        color = _COLORS[change.verdict]
        if _is_endless(change):
            axes.annotate(
                "no decay",
                (0, row),
                (8, 0),
                textcoords="offset points",
                color=color,
                va="center",
            )
            continue
        axes.plot([0, size], [row, row], color=color)
        axes.plot([size], [row], _MARKS[change.verdict], color=color, ms=8)
    labels = [f"{own.label}: {words.told(own)}" for own in changes]
    axes.set_yticks(range(len(changes)), labels)
    axes.set_ylim(max(1, len(changes)) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")


def _caption(times: Sequence[Change], end: float) -> str:
    ratios = [own for own in times if not _is_endless(own)]
    beyond = [own.label for own in ratios if abs(np.log2(_ratio(own))) > end]
    more = f" Beyond the axis: {', '.join(beyond)}." if beyond else ""
    return (
        "By how many times each quantity grew, then shares, then exponents. What is neither good "
        f"nor bad in itself is changed, in blue.{more}"
    )


def _alt(changes: Sequence[Change]) -> str:
    return "; ".join(f"{own.label} {words.told(own)}, {own.verdict}" for own in changes)
