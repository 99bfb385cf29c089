"""What got worse from the first checkpoint of a run to the last, by what `compare` goes by."""

from __future__ import annotations

from collections.abc import Sequence

from rnndiag import comparing
from rnndiag.records import Regression, Report


def between_ends(reports: Sequence[Report | None], lag: int | None) -> tuple[Regression, ...]:
    """Quantities that are worse in the last report than in the first, beyond their tolerances.

    Nothing where the probe was run on one checkpoint alone.
    """
    known = [place for place, report in enumerate(reports) if report is not None]
    first, last = (reports[known[place]] for place in (0, -1))
    if len(known) < 2 or first is None or last is None:
        return ()
    return tuple(
        Regression(layer=pair.after, change=change, first=known[0], last=known[-1])
        for pair in comparing.pairs(first, last, lag=lag)
        for change in pair.changes
        if change.verdict == "worse"
    )
