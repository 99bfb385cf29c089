"""Validation loss is well above training loss, and rising.

What it means
    The losses went together at first; then training loss fell on while validation loss turned
    upwards. From there on the network learned its training set by heart.

Why it matters
    What counts is the loss on data that the network has never seen, and nobody has that one:
    validation loss is the estimate of it. A low training loss alone says nothing.

What to do
    1. More dropout: recurrent dropout first, in steps (0.2, 0.4, 0.5); little on the inputs.
    2. More weight decay.
    3. More training data.
    4. A smaller network.
    5. Use them together: they work on different things.

ELI5
    Somebody learns the answers of last year's test by heart. On that test they are perfect. On
    this year's they fail, because they never learned how to find an answer.

Sources
    - B: tuning: overfits
    - B: core problem
    - B: example 2
    - B: insight 1
    - B: insight 3
    - A: learning 1
    - A: how regularization works
    - A: what to do 3
"""

from __future__ import annotations

from rnndiag.records import History, Severity, Skipped
from rnndiag.rules._losses import Losses, losses_of
from rnndiag.rules.base import Cut, Fired, Rule, Thresholds, step, worse
from rnndiag.snippets.base import Snippets

RULE = Rule(code="RNN601", severity="warning", rests_on="facts")


class Cuts(Thresholds):
    """How far validation may lie above training."""

    gap = Cut(0.1, "of the training loss", "own cut")
    rise = Cut(0.05, "of the best validation loss", "own cut: less is the noise of a small set")
    error_gap = Cut(1.0, "of the training loss", "own cut: validation more than twice training")
    error_rise = Cut(0.5, "of the best validation loss", "own cut: most of the gain is lost")


def check(history: History, snippets: Snippets, cuts: Cuts) -> Fired | Skipped | None:
    """A gap between the two losses, with validation above its best."""
    losses = losses_of(history)
    if isinstance(losses, Skipped):
        return losses
    gap, rise = losses.gap, losses.rise
    if gap is None or gap <= cuts.gap or rise <= cuts.rise:
        return None
    grave = gap > cuts.error_gap and rise > cuts.error_rise
    severity: Severity = "error" if grave else "warning"
    return Fired(
        message=(
            f"validation loss {losses.last_validation:.3g} is {gap:.0%} above training loss "
            f"{losses.last_train:.3g}, and {rise:.0%} above its best"
        ),
        severity=severity,
        evidence=_evidence(losses),
        measured=worse("gap", gap),
        advice=(
            step(
                "recurrent dropout of 0.2; if that helps 0.4, then 0.5 (else 0.3)",
                "A: what to do 3",
                snippets.recurrent_dropout(0.2),
            ),
            step("more weight decay: 1e-4, then 1e-3", "B: tuning: overfits"),
            step("more training data, or a smaller network", "B: tuning: overfits"),
        ),
    )


def _evidence(losses: Losses) -> dict[str, object]:
    return {
        "train_loss": losses.last_train,
        "validation_loss": losses.last_validation,
        "best_validation_loss": losses.best_validation,
        "best_epoch": losses.best_epoch,
        "gap": losses.gap,
    }
