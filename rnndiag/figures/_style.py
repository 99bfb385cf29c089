"""How all figures look: one width, one size of letters, colors that everyone tells apart."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from rnndiag.printable import one_line

WIDTH = 6.4
"""Inches. With letters of 11 points a page as narrow as a phone still shows them legibly."""
DPI = 150
_MANY_DECADES = 3.0
_TITLE = 60
"""Letters of a title that fit beside each other."""

# Okabe and Ito's colors, which stay apart for all kinds of color vision.
BLACK, GRAY = "#222222", "#8a8a8a"
ORANGE, SKY, GREEN = "#e69f00", "#56b4e9", "#009e73"
YELLOW, BLUE, VERMILION, PURPLE = "#f0e442", "#0072b2", "#d55e00", "#cc79a7"

PARTS: Mapping[str, str] = MappingProxyType({"kernel": BLUE, "recurrent": VERMILION, "bias": GREEN})
"""The same color for the same part of a layer in every figure."""
SEVERITIES: Mapping[str, str] = MappingProxyType(
    {
        "error": VERMILION,
        "warning": "#b37400",
        "note": BLUE,
        "passed": "#d9eee6",
        "unsaid": "#f2f2f0",
    }
)
"""Of findings; and of rules that passed, or that had nothing to go by."""
CYCLE = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
"""For what has no color of its own: gates, samples, layers."""
SIGNED = "RdBu_r"
"""Color map of what has a sign; its white is zero."""

_SETTINGS: Any = MappingProxyType(
    {
        "figure.dpi": DPI,
        "savefig.dpi": DPI,
        "figure.facecolor": "white",
        "font.family": "DejaVu Sans",  # comes with matplotlib: the same on every machine
        "font.size": 11,
        "axes.titlesize": 11,
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": "#e4e4e4",
        "legend.frameon": False,
        "legend.fontsize": 10,
        "lines.linewidth": 1.8,
        "image.interpolation": "nearest",
        # A name may have dollars in it; formulas are written in plain characters.
        "text.parse_math": False,
    }
)


@contextmanager
def styled() -> Iterator[None]:
    """Let all that is drawn and saved within look alike, whatever the user's matplotlibrc says."""
    with mpl.rc_context(), warnings.catch_warnings():
        # A letter that the font lacks is a box; the page has the name beside it.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        yield


def sheet(title: str, rows: int = 1, columns: int = 1, height: float = 3.6, **grid: Any) -> Any:
    """A figure with its title, and its axes: one, or an array of them as `subplots` gives it.

    `height` is that of the whole, in inches; `grid` goes to ``Figure.subplots``. It belongs to
    no window, so that it needs no display and is freed when it is dropped.
    """
    with styled():
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        figure.suptitle(
            _fitting(one_line(title)), x=0.01, ha="left", fontsize=13, fontweight="bold"
        )
        return figure, figure.subplots(rows, columns, **grid)


def _fitting(title: str) -> str:
    """Cut in the middle where it is wider than the figure: names differ at their ends."""
    if len(title) <= _TITLE:
        return title
    tail = _TITLE // 3
    return f"{title[: _TITLE - tail - 1]}…{title[-tail:]}"


def legend(figure: Figure, *axes: Axes, columns: int = 3) -> None:
    """What the lines of the `axes` are, under the whole figure: there it covers nothing."""
    named = [pair for own in axes for pair in zip(*own.get_legend_handles_labels(), strict=True)]
    figure.legend(*zip(*named, strict=True), loc="outside lower left", ncols=columns)


def plain_numbers(axis: Axis) -> None:
    """Ticks as plain characters: matplotlib's formulas are off, as names may look like them."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def log_ticks(axis: Axis) -> None:
    """A handful of ticks on a logarithmic axis, be it one decade or fifty."""
    low, high = axis.get_view_interval()
    decades = math.log10(high) - math.log10(low) if 0 < low < high else 1.0
    axis.set_major_locator(LogLocator(subs=_subs(decades)))
    axis.set_minor_locator(NullLocator())
    plain_numbers(axis)


def _subs(decades: float) -> tuple[float, ...]:
    """Where numbers stand within a decade."""
    if decades > _MANY_DECADES:
        return (1.0,)
    return (1.0, 2.0, 5.0) if decades > 1 else (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0)


def legend_bar(figure: Figure, image: Any, axes: Any, label: str, **more: Any) -> None:
    """What the colors of a map mean, at the side of the `axes` that share them."""
    # matplotlib writes powers of ten as formulas, which names may not be taken for.
    plain = FuncFormatter(lambda value, _: f"{value:g}")
    figure.colorbar(image, ax=axes, label=label, fraction=0.05, pad=0.02, format=plain, **more)


def hide_inner(axes: Iterable[Axes], which: Literal["x", "y"]) -> None:
    """Leave out an axis that a neighbor shows: unlabeled ticks would take most of the time."""
    for own in axes:
        (own.xaxis if which == "x" else own.yaxis).set_visible(False)


def note(axes: Axes, text: str) -> None:
    """A remark in the middle of axes that have nothing to show."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=GRAY)
