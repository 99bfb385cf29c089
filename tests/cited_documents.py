"""The sections of the two documents that the rules follow.

A rule cites a section as ``A: what to do 1``: every section is cited by a rule, and no rule cites
another.
"""

from __future__ import annotations

SECTIONS = {
    "A": (
        "opening",
        "how regularization works",
        "weight decay 1",
        "weight decay 2",
        "weight decay 3",
        "dropout",
        "recurrent dropout",
        "batch normalization",
        "recurrent batch normalization",
        "weight constraints",
        "activity constraints",
        *(f"what to do {number}" for number in range(1, 14)),
        "introspection",
        "introspection code",
        "weight norm tracking",
        "bonus",
        "tip 1",
        "tip 2",
        *(f"learning {number}" for number in range(1, 5)),
        "depth vs. width",
        "update",
    ),
    "B": (
        "5-year-old explanation",
        "core problem",
        "dropout",
        "normalization",
        "weight decay",
        "early stopping",
        "example 1",
        "example 2",
        "checklist",
        "tuning: underfits",
        "tuning: overfits",
        "tuning: unstable",
        "insight 1",
        "insight 2",
        "insight 3",
    ),
}
"""By the documents' own order and numbers. "weight decay 1" to "3" are A's methods (general,
recurrent, kernel weights), "what to do" its numbered list of concrete advice, "learning" its
numbered considerations on how learning works, "bonus" its passage on adaptive optimizers, "tip"
the two tips after it; B's "tuning" is its tuning guide."""
