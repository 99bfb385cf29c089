"""Training went on well after the best validation loss.

What it means
    The lowest validation loss is more than five evaluations old, and the last one is clearly
    higher. Where the file tells its epoch, only what came before it counts; where it does not,
    the file may be the best epoch's own, saved or restored: then all is well.

Why it matters
    Since then the network only got better at its training set. A better network existed, and
    this is not it.

What to do
    1. Go back to the checkpoint of the best epoch, if it was kept.
    2. Stop early: give up five evaluations after the best, ten where the losses waver, and
    restore the best weights.

    If the best comes very early, training longer was never the problem: see overfitting.

ELI5
    You draw a horse, and it is lovely. You go on: one more line, and one more, until the paper
    is brown and nobody sees a horse. Next time keep a copy whenever it looks best, and after
    five lines that made it no better put down the pencil.

Sources
    - B: early stopping
    - B: checklist
    - B: example 1
    - B: example 2
    - A: learning 1
    - Prechelt 1998, Early stopping - but when?
"""

from __future__ import annotations

from rnndiag.records import History, Settings, Skipped
from rnndiag.rules._advice import percent
from rnndiag.rules._losses import PATIENCE, Losses, losses_of
from rnndiag.rules.base import Cut, Fired, Rule, Thresholds, step, worse
from rnndiag.snippets.base import Snippets

RULE = Rule(code="RNN604", severity="warning", rests_on="facts")


class Cuts(Thresholds):
    """How long ago, and how much worse."""

    evaluations = Cut(5, "evaluations", "B: checklist: a patience of 5 to 10")
    rise = Cut(0.01, "of the best validation loss", "own cut: less makes no difference", least=0)


def check(
    history: History, settings: Settings, snippets: Snippets, cuts: Cuts
) -> Fired | Skipped | None:
    """Best validation loss too long ago, and the last one above it."""
    losses = losses_of(history, settings)
    if isinstance(losses, Skipped):
        return losses
    if losses.since_best <= cuts.evaluations or losses.rise <= cuts.rise:
        return None
    best = f"{losses.axis} {losses.best_epoch:g}"
    return Fired(
        message=(
            f"validation was best ({losses.best_validation:.3g}) at {best}, {losses.since_best} "
            f"evaluations ago, more than {cuts.evaluations:g}; now it is "
            f"{percent(losses.rise)} higher"
        ),
        confidence=losses.confidence,
        doubt=losses.doubt,
        evidence=_evidence(losses),
        measured=worse("evaluations_since_best", losses.since_best),
        advice=(
            step(
                f"go back to {best}: its checkpoint if there is one, else train until there",
                "B: early stopping",
            ),
            step(
                f"stop {PATIENCE} evaluations after the best and restore it; 10 if losses waver",
                "B: checklist",
                snippets.early_stopping(PATIENCE),
            ),
        ),
    )


def _evidence(losses: Losses) -> dict[str, object]:
    return {
        "best_epoch": losses.best_epoch,
        "best_validation_loss": losses.best_validation,
        "validation_loss": losses.last_validation,
        "evaluations_since": losses.since_best,
    }
