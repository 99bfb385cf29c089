"""Grids of axes, one for each gate or block, in as many rows as it takes."""

from __future__ import annotations

from typing import Any


def hide_unused(axes: Any, count: int) -> None:
    """Leave out the axes of a grid behind the first `count`."""
    for unused in axes.flat[count:]:
        unused.set_axis_off()


def label_edges(axes: Any, count: int, across: str, up: str) -> None:
    """Name both directions at the edges of a grid, and leave out all but `count` axes."""
    hide_unused(axes, count)
    # The last of each column: below one of three gates there is none.
    for own in axes.flat[:count][-axes.shape[1] :]:
        own.set_xlabel(across)
        own.xaxis.set_tick_params(labelbottom=True)
    for own in axes[:, 0]:
        own.set_ylabel(up)
