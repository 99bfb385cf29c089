"""Validation loss is well above training loss, and rising.

What it means
    The losses went together at first; then training loss fell on while validation loss turned
    upwards. From there on the network learned its training set by heart. Where the file tells
    its epoch, only what came before it counts.

Why it matters
    What counts is the loss on data that the network has never seen, and nobody has that one:
    validation loss is the estimate of it. A low training loss alone says nothing.

What to do
    1. More dropout: recurrent dropout first, in steps (0.2, 0.4, 0.5, or back
    from 0.4 to 0.3); little on the inputs;
    0.3 to 0.5 between layers.
    2. More weight decay, each matrix by a value of its own: 1e-4 on the largest to begin with, and
    ten times as much where there is some, up to 1e-3.
    3. More training data.
    4. A smaller network.

    Use them together: they work on different things. Training loss will be higher, and that is no
    loss.

ELI5
    You run through the maze in your garden every day, until you can do it with closed eyes:
    left, left, right. In any other maze you bump into the first hedge. You learned the turns,
    and not how to find a way.

Sources
    - B: tuning: overfits
    - B: core problem
    - B: 5-year-old explanation
    - B: dropout
    - B: example 2
    - B: insight 1
    - B: insight 3
    - A: learning 1
    - A: how regularization works
    - A: what to do 1
    - A: what to do 3
"""

from __future__ import annotations

from collections.abc import Iterator

from rnndiag import decays
from rnndiag.records import Advice, History, LayerSettings, Report, Settings, Severity, Skipped
from rnndiag.rules._advice import percent
from rnndiag.rules._known import largest
from rnndiag.rules._last_resort import above
from rnndiag.rules._losses import Losses, losses_of
from rnndiag.rules._sizes import resized
from rnndiag.rules.base import Cut, Fired, Rule, Thresholds, step, worse
from rnndiag.snippets.base import Snippets

RULE = Rule(code="RNN601", severity="warning", rests_on="facts")
_LARGE = 9.995
"""Times: three digits of per cent reach no further."""
_BETWEEN = 0.3
"""The least that B's checklist has for dropout."""


class Cuts(Thresholds):
    """How far validation may lie above training."""

    gap = Cut(0.1, "of the training loss", "own cut", least=0)
    rise = Cut(
        0.05, "of the best validation loss", "own cut: less is the noise of a small set", least=0
    )
    error_gap = Cut(
        1.0, "of the training loss", "own cut: validation more than twice training", least=0
    )
    error_rise = Cut(
        0.5, "of the best validation loss", "own cut: most of the gain is lost", least=0
    )


def check(
    history: History, report: Report, settings: Settings, snippets: Snippets, cuts: Cuts
) -> Fired | Skipped | None:
    """A gap between the two losses, with validation above its best."""
    losses = losses_of(history, settings)
    if isinstance(losses, Skipped):
        return losses
    if losses.last_train is None:
        return Skipped(reason=f"{history.source} has no training loss: name it, --train-column")
    gap, rise = losses.gap, losses.rise
    if gap is None:
        return Skipped(reason="a training loss that is not positive has no share to compare with")
    if gap <= cuts.gap or rise <= cuts.rise:
        return None
    severity: Severity = "warning"
    limits = cuts.gap, cuts.rise
    if gap > cuts.error_gap and rise > cuts.error_rise:
        severity, limits = "error", (cuts.error_gap, cuts.error_rise)
    return Fired(
        message=(
            f"validation loss {losses.last_validation:.3g} is {_more(gap)} above training loss "
            f"{losses.last_train:.3g} and {_more(rise)} above its best, over "
            f"{_more(limits[0])} and {_more(limits[1])}"
        ),
        severity=severity,
        confidence=losses.confidence,
        doubt=losses.doubt,
        evidence=_evidence(losses),
        measured=worse("gap", gap),
        advice=tuple(_advice(report, settings, snippets)),
    )


def _more(share: float) -> str:
    """In per cent; large ones without an exponent."""
    return percent(share) if share < _LARGE else f"{share:,.0%}"


def _evidence(losses: Losses) -> dict[str, object]:
    return {
        "train_loss": losses.last_train,
        "validation_loss": losses.last_validation,
        "best_validation_loss": losses.best_validation,
        "best_epoch": losses.best_epoch,
        "gap": losses.gap,
        "rise": losses.rise,
    }


# ---------------------------------------------------------------- advice


def _advice(report: Report, settings: Settings, snippets: Snippets) -> Iterator[Advice]:
    yield from _more_dropout(settings, snippets)
    yield from _more_decay(report, settings)
    yield step("more training data", "B: tuning: overfits")
    words, snippet = resized(report, 0.5, snippets)
    yield step(f"a smaller network: {words}", "B: tuning: overfits", snippet)


def _more_dropout(settings: Settings, snippets: Snippets) -> Iterator[Advice]:
    now = largest(own.recurrent_dropout for own in settings.layers.values())
    rate = above(now)
    if rate is not None:
        known = f" (now {now:g})" if now else ""
        following = above(rate)
        later = "" if following is None else f"; if that helps {following:g}"
        yield step(
            f"recurrent dropout of {rate:g}{known}{later}",
            "A: what to do 3",
            snippets.recurrent_dropout(rate),
        )
    yield step(
        f"dropout of {_BETWEEN:g} between layers, up to 0.5",
        "B: dropout",
        snippets.between_dropout(_BETWEEN),
    )


def _more_decay(report: Report, settings: Settings) -> Iterator[Advice]:
    """More for each layer, by its own norms.

    No lines: they would set one value for all matrices, which RNN402 warns of.
    """
    told, raised = [], False
    for layer in report.layers:
        norms = layer.fact("weight_norms")
        if not layer.analysed or layer.call or norms is None:
            continue
        own = settings.layers.get(layer.id, LayerSettings())
        fit = decays.next_decay(own, norms, top=decays.LARGEST)
        if fit is not None:
            raised = raised or fit.raised
            told.append(f"{layer.id}/{layer.direction} {fit.values} ({fit.reason})")
    if told:
        more = "more " if raised else ""
        yield step(f"{more}weight decay: {'; '.join(told)}", "B: tuning: overfits")
