"""Which rules had something against which layer, from checkpoint to checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap

from rnndiag.figures._moments import axis_label
from rnndiag.figures._style import SEVERITIES, legend, sheet
from rnndiag.figures.base import Picture
from rnndiag.outputs.words import courses as words
from rnndiag.records import Array, Course, Said
from rnndiag.wording import counted, place

PLACE = 40
TITLE = "Findings over training"
_MOST_ROWS = 20
_MOST_COLUMNS = 240
"""More would be thinner than a few pixels."""
_WIDEST = 30
"""Characters of a row's name."""
_CODES = {"unsaid": 0, "passed": 1, "note": 2, "warning": 3, "error": 4}
"""What stands in the grid, the worse the higher."""
_TOLD = {"unsaid": "not judged, or a gap", "passed": "not found"}

Row: TypeAlias = tuple[str, str | None, str | None, int]


def draw(course: Course) -> Iterator[Picture]:
    """One picture for the whole run, if any rule ever found anything."""
    rows = _rows(course)
    if rows:
        yield _picture(course, rows)


def _rows(course: Course) -> dict[Row, Said]:
    """What was found at any checkpoint: as it was worst; the worst first."""
    found: dict[Row, Said] = {}
    for point in course.points:
        for said in point.said:
            before = found.get(_row(said))
            if before is None or _code(said) > _code(before):
                found[_row(said)] = said
    worst = sorted(found, key=lambda row: (-_code(found[row]), row[0], str(row[1:])))
    return {row: found[row] for row in worst}


def _row(said: Said) -> Row:
    return said.rule, said.layer, said.direction, said.call


def _code(said: Said) -> int:
    return _CODES[said.severity]


def _picture(course: Course, rows: dict[Row, Said]) -> Picture:
    shown = dict(list(rows.items())[:_MOST_ROWS])
    figure, axes = sheet(TITLE, height=1.9 + 0.44 * len(shown))
    values, columns = grid(course, list(shown))
    _map(axes, _binned(values))
    _label(axes, course, list(shown.values()), columns)
    used = {name for name, code in _CODES.items() if (values == code).any()}
    for name in (name for name in reversed(_CODES) if name in used):
        axes.scatter([], [], marker="s", s=60, color=SEVERITIES[name], label=_TOLD.get(name, name))
    legend(figure, axes, columns=3)
    return Picture(
        name="findings",
        title=TITLE,
        caption=_caption(rows, values.shape[1]),
        alt=_alt(course, rows),
        figure=figure,
    )


def grid(course: Course, rows: Sequence[Row]) -> tuple[Array, list[int | None]]:
    """(rows, columns) codes, and the checkpoint of each column; None is a gap."""
    columns: list[int | None] = []
    missing = [gap.before for gap in course.gaps]
    for k in range(len(course.points) + 1):
        columns += [None] * missing.count(k)
        columns += [k] if k < len(course.points) else []
    values = np.zeros((len(rows), len(columns)))
    for column, point in enumerate(columns):
        if point is not None:
            values[:, column] = _column(course, point, rows)
    return values, columns


def _column(course: Course, k: int, rows: Sequence[Row]) -> list[int]:
    """One checkpoint. Where the series alone was judged, silence of other rules is none."""
    point = course.points[k]
    said = {_row(own): _code(own) for own in point.said}
    quiet = _CODES["passed" if point.judged == "all" else "unsaid"]
    return [said.get(row, quiet) for row in rows]


def _binned(values: Array) -> Array:
    """The worst of neighbors where there are too many columns."""
    count = values.shape[1]
    if count <= _MOST_COLUMNS:
        return values
    starts = np.linspace(0, count, _MOST_COLUMNS, endpoint=False).astype(int)
    found: Array = np.maximum.reduceat(values, starts, axis=1)
    return found


def _map(axes: Axes, values: Array) -> None:
    colors = ListedColormap([SEVERITIES[name] for name in _CODES])
    levels = BoundaryNorm(np.arange(len(_CODES) + 1) - 0.5, len(_CODES))
    edges = np.arange(values.shape[1] + 1), np.arange(values.shape[0] + 1)
    # White lines between the cells, as long as these are much wider than a line.
    line = 1.0 if values.shape[1] <= _MOST_COLUMNS // 4 else 0.0
    color = "white" if line else "face"
    axes.pcolormesh(*edges, values, cmap=colors, norm=levels, edgecolors=color, linewidth=line)
    axes.set_xlim(0, values.shape[1])
    axes.set_ylim(values.shape[0], 0)


def _label(axes: Axes, course: Course, rows: Sequence[Said], columns: Sequence[int | None]) -> None:
    names = [f"{_cut(said.name)}\n{said.rule} {_cut(place(said) or 'network')}" for said in rows]
    axes.set_yticks(np.arange(len(rows)) + 0.5, names, fontsize=9)
    places = [(column, k) for column, k in enumerate(columns) if k is not None]
    stride = -(-len(places) // 8)
    scale = min(1.0, _MOST_COLUMNS / len(columns))
    ticks = [(column + 0.5) * scale for column, _ in places[::stride]]
    axes.set_xticks(ticks, [f"{course.at(k):,.15g}" for _, k in places[::stride]])
    axes.set_xlabel(axis_label(course))
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def _cut(name: str) -> str:
    return name if len(name) <= _WIDEST else f"{name[: _WIDEST - 1]}…"


# ---------------------------------------------------------------- in words


def _caption(rows: dict[Row, Said], columns: int) -> str:
    left = len(rows) - _MOST_ROWS
    cut = f" {counted(left, 'more row')} with less severe findings left out." if left > 0 else ""
    bins = " Neighbors are drawn together, the worst shown." if columns > _MOST_COLUMNS else ""
    return (
        "What each rule found at each checkpoint, judged with the checkpoints before it; the "
        f"worst first. Light cells are rules that found nothing.{cut}{bins}"
    )


def _alt(course: Course, rows: dict[Row, Said]) -> str:
    last = [words.told(own.finding) for own in course.findings[:5]]
    now = f" At the last checkpoint: {', '.join(last)}." if last else ""
    return f"Grid of {counted(len(rows), 'finding')} by {words.extent(course)}.{now}"
