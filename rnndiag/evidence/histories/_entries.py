"""Rows become entries: one for each epoch, whatever the rows are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from operator import itemgetter
from pathlib import Path
from statistics import fmean, median

from rnndiag.evidence.histories._columns import VALIDATION_OR_TRAIN, Columns
from rnndiag.evidence.tabular import Table, words
from rnndiag.records import History

_AXES = {
    "epoch": {"epoch", "epochs"},
    "step": {"step", "steps", "iteration", "iterations", "iter", "batch", "global", "trainer"},
}
"""What counts the training's progress, the coarser first, with the words of its columns."""
_NUMBER = {"no", "nr", "number", "index", "id"}
"""Words that may stand beside those: ``Epoch No``."""
_DESCENDING_ROWS = 3
"""From so many on, falling epochs are the file's order and not as many restarts."""

Points = Sequence[tuple[float, float]]
"""Place on the axis and loss, in the file's order."""


@dataclass(frozen=True, kw_only=True)
class _Axis:
    name: str
    places: Mapping[int, float]
    """Row → its place on the axis; a row that has none is not there."""


def history(path: Path, table: Table, columns: Columns) -> History:
    """The losses of the chosen columns, one entry for each place on the axis."""
    axis = _axis(table, columns)
    train = _Losses(table, columns.train, axis, "training")
    validation = _Losses(table, columns.validation, axis, "validation")
    places = sorted(train.by_place.keys() | validation.by_place.keys())
    notes = (*table.notes, *columns.notes, *train.notes, *validation.notes)
    return History(
        source=str(path),
        epochs=tuple(places),
        axis=axis.name,
        train=train.at(places),
        validation=validation.at(places),
        train_column=columns.train,
        validation_column=columns.validation,
        not_finite=train.not_finite,
        notes=tuple(dict.fromkeys(notes)),
    )


def _axis(table: Table, columns: Columns) -> _Axis:
    """The coarsest column that places most of the rows with a loss; else the rows themselves."""
    chosen = [name for name in (columns.train, columns.validation) if name is not None]
    rows = {row for name in chosen for row, _ in table.numbers(name)}
    for axis, names in _AXES.items():
        for column in (name for name in table.columns if _counts(name, names)):
            places = {row: place for row, place in table.numbers(column) if math.isfinite(place)}
            if 2 * len(rows & places.keys()) >= len(rows):
                return _Axis(name=axis, places=places)
    return _Axis(name="epoch", places={row: float(row) for row in range(len(table.rows))})


def _counts(column: str, names: set[str]) -> bool:
    """Whether a column counts what `names` name: ``global_step``, but not ``step_seconds``."""
    spoken = set(words(column)) - VALIDATION_OR_TRAIN - _NUMBER
    return bool(spoken) and spoken <= names


class _Losses:
    """The losses of one column by their place on the axis, and what was odd about them."""

    def __init__(self, table: Table, column: str | None, axis: _Axis, called: str) -> None:
        self.notes: list[str] = []
        self.by_place: Mapping[float, float] = {}
        self.not_finite: tuple[float, ...] = ()
        if column is None:
            return
        numbers = list(table.numbers(column))
        points = [(axis.places[row], loss) for row, loss in numbers if row in axis.places]
        if unreadable := table.unreadable(column):
            self.notes.append(f"{unreadable} cells of {column} are no numbers and were left out")
        if unplaced := len(numbers) - len(points):
            self.notes.append(
                f"{unplaced} losses stand in rows without {axis.name} and were left out"
            )
        self._take(self._last_runs(_ascending(points), axis.name), axis.name, called)

    def at(self, places: Sequence[float]) -> tuple[float | None, ...]:
        """The finite losses at `places`; nothing at all where the file has no such losses."""
        if not self.by_place:
            return ()
        found = (self.by_place.get(place) for place in places)
        return tuple(loss if loss is not None and math.isfinite(loss) else None for loss in found)

    def _last_runs(self, points: Points, axis: str) -> Points:
        """Points without those that a resumed run has gone through again."""
        kept: list[tuple[float, float]] = []
        restarts = []
        for place, loss in points:
            if kept and place < kept[-1][0]:
                restarts.append(place)
                # What stood after the restart belongs to weights that were thrown away.
                kept = [point for point in kept if point[0] < place]
            kept.append((place, loss))
        if restarts:
            self.notes.append(
                f"the {axis} falls back {len(restarts)} times, last to {restarts[-1]:g}: what the "
                "earlier runs did from there on was left out"
            )
        return kept

    def _take(self, points: Points, axis: str, called: str) -> None:
        """One loss for each place, and what there is to say about them."""
        groups = {
            place: [loss for _, loss in group] for place, group in groupby(points, itemgetter(0))
        }
        several = (
            called == "training" and median(map(len, groups.values())) > 1 if groups else False
        )
        if several:
            self.notes.append(
                f"a {called} loss is the mean of those that the file has of its {axis}"
            )
        self.by_place = {
            place: fmean(losses) if several else losses[-1] for place, losses in groups.items()
        }
        self.not_finite = tuple(
            place for place, loss in self.by_place.items() if not math.isfinite(loss)
        )
        if self.not_finite:
            self.notes.append(
                f"{len(self.not_finite)} of {len(groups)} {called} losses are not finite (NaN or "
                f"infinite), the first at {axis} {self.not_finite[0]:g}"
            )


def _ascending(points: Points) -> Points:
    """Points from the first on, also where the file has the newest on top."""
    falls = [later[0] < earlier[0] for earlier, later in pairwise(points)]
    return points[::-1] if len(points) >= _DESCENDING_ROWS and all(falls) else points
