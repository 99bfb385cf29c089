"""A line for each sample along time, so that lines which lie on each other are all seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from matplotlib.axes import Axes

from rnndiag.figures._style import CYCLE, legend, note
from rnndiag.records import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

_DASHES = ("-", (0, (4, 2)), (0, (1, 1.5)))
"""One a sample: through the gaps of one line others are seen."""


def sample_lines(axes: Axes, values: Array, real: Array, samples: Sequence[int]) -> None:
    """One line for each of up to three `samples`, (samples, T); pale where it is not `real`.

    Lines break at NaN; where nothing is finite, the axes say so.
    """
    looks = zip(CYCLE, _DASHES, strict=False)
    for own, is_real, sample, look in zip(values, real, samples, looks, strict=False):
        _line(axes, np.where(is_real, own, np.nan), look, 0.9, f"sample {sample}")
        if not is_real.all():
            _line(axes, np.where(is_real, np.nan, own), look, 0.35, "")
    if not np.isfinite(values).any():
        note(axes, "not finite")


def _line(axes: Axes, values: Array, look: tuple[str, Any], alpha: float, label: str) -> None:
    there = np.r_[False, np.isfinite(values), False]
    # A step between two gaps has no neighbor that a line could lead to.
    alone = there[1:-1] & ~there[:-2] & ~there[2:]
    color, dashes = look
    axes.plot(
        values,
        color=color,
        ls=dashes,
        alpha=alpha,
        lw=1.2,
        marker=".",
        markevery=alone,
        label=label or None,
    )


def sample_legend(figure: Figure, axes: Axes) -> None:
    """Which line is which sample; without the marks, which only steps between gaps have."""
    legend(figure, axes)
    for handle in figure.legends[-1].legend_handles:
        cast("Line2D", handle).set_marker("")
