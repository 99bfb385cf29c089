"""The usual regularizers are in place; zoneout is left to try.

What it means
    The layer has recurrent dropout and the network has normalization, and the history shows that
    it overfits all the same. Where no history was given, it means that recurrent dropout has come
    to the end of its steps (0.3 or 0.5), so that this is what is left.

Why it matters
    Zoneout lets units keep their old state at random, where dropout sets them to 0. Nothing is
    erased, so memories last and gradients pass through unchanged. It regularizes in another way
    than dropout does, and may help where more of that does not. Document A only points at it: its
    author has not tried it. So it stands last.

What to do
    1. Try zoneout at 0.1 in the place of recurrent dropout; 0.05 to 0.2 is the range to search.

    See how it compares with recurrent dropout before you use both together.

ELI5
    Your team plans a trip. Now and then, somebody picked at random does not listen to the news
    of the day, and goes by what he knew yesterday. Nobody forgets anything, and the plan must
    not hang on one person having heard the latest.

Sources
    - A: what to do 10
    - B: tuning: overfits
    - Krueger et al. 2017, Zoneout: regularizing RNNs by randomly preserving hidden activations
"""

from __future__ import annotations

from rnndiag.records import History, LayerSettings, Report, Settings, Skipped
from rnndiag.rules._last_resort import in_place, is_climbed
from rnndiag.rules._losses import Losses, losses_of
from rnndiag.rules.base import Cut, Fired, Rule, Thresholds, step
from rnndiag.snippets.base import Snippets

RULE = Rule(code="RNN413", severity="note", rests_on="facts")
_RATE = 0.1
_NO_HISTORY = "without a history it is not known whether more regularization is needed"


class Cuts(Thresholds):
    """From where on a history counts as overfitted."""

    gap = Cut(0.1, "of the training loss", "own cut, as RNN601", least=0)
    rise = Cut(0.05, "of the best validation loss", "own cut, as RNN601", least=0)


def check(
    own: LayerSettings,
    report: Report,
    history: History | None,
    settings: Settings,
    snippets: Snippets,
    cuts: Cuts,
) -> Fired | Skipped | None:
    """Recurrent dropout and normalization, and overfitting or nothing known of it."""
    ready = in_place(own, report)
    if isinstance(ready, Skipped):
        return ready
    losses = losses_of(history, settings) if history else None
    known = losses if isinstance(losses, Losses) and losses.gap is not None else None
    needed = _overfits(known, cuts) if known else is_climbed(own)
    if not ready or not needed:
        return None
    rate = own.recurrent_dropout.value if own.recurrent_dropout else 0.0
    return Fired(
        message=_message(rate, known),
        confidence=known.confidence if known else "low",
        doubt=known.doubt if known else _NO_HISTORY,
        evidence={"recurrent_dropout": rate, "gap": known.gap if known else None},
        advice=(
            step(
                f"zoneout of {_RATE:g}, in the place of recurrent dropout; search 0.05 to 0.2",
                "A: what to do 10",
                snippets.zoneout(_RATE),
            ),
        ),
    )


def _overfits(losses: Losses, cuts: Cuts) -> bool:
    return (losses.gap or 0.0) > cuts.gap and losses.rise > cuts.rise


def _message(rate: float, losses: Losses | None) -> str:
    if losses is None:
        return (
            f"recurrent dropout ({rate:g}) and normalization are in place; zoneout is left to try"
        )
    return (
        f"with recurrent dropout ({rate:g}) and normalization, validation loss is still "
        f"{losses.gap:.0%} above training"
    )
