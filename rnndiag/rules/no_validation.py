"""The history has no validation loss.

What it means
    Training was followed by its own loss alone, or the history was written without the other.

Why it matters
    The training loss falls whether the network understands or memorises. Of how it does on new
    data, this history says nothing; nor when training should have stopped, nor which of two
    settings was better.

What to do
    1. Hold data back, 10 % of it, and evaluate on it after every epoch. If that was done and
    its column has a name that rnndiag does not know, name it with --val-column.
    2. Stop by it.

    And do not look at that number alone: see what a change does to weights, gates and spans.

ELI5
    You practise a song with plugs in your ears, and it feels great. Whether it sounds great
    nobody knows, you least of all. Let somebody listen who is not singing.

Sources
    - A: opening
    - B: insight 2
    - B: checklist
    - B: early stopping
    - A: introspection
    - A: learning 1
"""

from __future__ import annotations

from rnndiag.records import History
from rnndiag.rules._losses import PATIENCE
from rnndiag.rules.base import Fired, Rule, step
from rnndiag.snippets.base import Snippets

RULE = Rule(code="RNN605", severity="warning", rests_on="facts")


def check(history: History, snippets: Snippets) -> Fired | None:
    """Not one validation loss that is a number."""
    if any(loss is not None for loss in history.validation):
        return None
    return Fired(
        message=f"not one of {len(history.epochs)} evaluations has a validation loss",
        evidence={"train_column": history.train_column, "evaluations": len(history.epochs)},
        advice=(
            step(
                "hold back 10 % for validation and evaluate on it after every epoch; if that was "
                "done, name its column: --val-column NAME",
                "B: insight 2",
                snippets.split(),
            ),
            step(
                f"then stop {PATIENCE} evaluations after the best",
                "B: early stopping",
                snippets.early_stopping(PATIENCE),
            ),
        ),
    )
