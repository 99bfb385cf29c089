"""When zoneout and residual connections are worth a try: after what RNN407 and RNN410 advise."""

from __future__ import annotations

import math
from typing import cast

from rnndiag import ladders
from rnndiag.records import LayerSettings, Report, Skipped
from rnndiag.rules._surroundings import normalizations

_LADDER = ladders.LADDERS["recurrent_dropout"]


def in_place(own: LayerSettings, report: Report) -> bool | Skipped:
    """Recurrent dropout and normalization; before them, nothing rarer is worth a try.

    Skipped where recurrent dropout is not known, and nothing else has answered the question.
    """
    if not normalizations(report):
        return False
    if own.recurrent_dropout is None:
        return Skipped(
            reason="the file does not tell of recurrent dropout, which comes first: "
            "give --context FILE.toml (recurrent_dropout)"
        )
    return own.recurrent_dropout.value > 0


def is_climbed(own: LayerSettings) -> bool:
    """Whether recurrent dropout has come to the end of its ladder, so that RNN407 is quiet."""
    return own.recurrent_dropout is not None and above(own.recurrent_dropout.value) is None


def above(rate: float) -> float | None:
    """The next rung of recurrent dropout; None where the ladder ends, on the way up or back."""
    rungs = [float(rung) for rung in _LADDER.rungs]
    fallback = cast("float", _LADDER.fallback)
    if math.isclose(rate, fallback) or fallback < rate < rungs[-2]:
        return None
    return next((rung for rung in rungs if rung > rate and not math.isclose(rung, rate)), None)
