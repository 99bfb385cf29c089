"""Gradient profiles on their axes: powers of ten against steps back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from rnndiag.profiles import GradientProfile
from rnndiag.records import Array

DEEPEST = -30.0
"""log10 under which the axis does not follow: nothing trains on what is left there."""


def log10_of(profile: GradientProfile) -> Array:
    """The profile as it is drawn; NaN, a gap, where nothing of the gradient is left."""
    return np.array([np.nan if v is None else v for v in profile.log10_profile], float)


def plain(log10: float, form: str) -> str:
    """A power of ten as a number, 0.13 or 1.3e-09, be it beyond all floats."""
    return f"{10.0**log10:{form}}" if log10 < 300 else f"1e+{log10:.0f}"


def scale(axes: Axes, profiles: Sequence[GradientProfile]) -> None:
    """Axes on which all the `profiles` and their α are to be seen."""
    logs = [value for own in profiles for value in own.log10_profile if value is not None]
    alphas = [np.log10(own.alpha) for own in profiles]
    lowest = min([*logs, *alphas])
    axes.set_ylim(bottom=max(DEEPEST, lowest - 0.5), top=max(0.5, max(logs, default=0.0) + 0.5))
    axes.set_xlabel("steps back from the last real step")
    axes.set_ylabel("gradient / that at the last step")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=7))
    # ``1``, ``0.1``, and ``1e-07`` where more zeros would have to be counted.
    axes.yaxis.set_major_formatter(FuncFormatter(lambda power, _: plain(power, "g")))
