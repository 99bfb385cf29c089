"""Samples are not shuffled, or have to be shuffled with care.

What it means
    The context (or the file's hyper-parameters) says that samples come in the same order in
    every epoch. Or a layer is stateful: what it carries over is right only where the windows of
    one sequence follow each other, which limits what may be shuffled.

Why it matters
    A fixed order is one more thing to learn by heart, and neighbours that are alike pull the
    weights to and fro. Shuffling costs nothing and regularizes strongly.

What to do
    1. Shuffle the samples anew for every epoch, which also mixes who shares a batch with whom.
    2. With stateful layers shuffle whole sequences: which of them run side by side in a batch,
    and in which row. Leave the windows of each in order, and reset states where it ends.

ELI5
    If a playlist never changes its order, you soon hum the next song before it starts. You do
    not know that song by its tune; you know what came before. Press the shuffle button, and you
    have to listen.

Sources
    - A: what to do 12
    - Bengio 2012, Practical recommendations for gradient-based training of deep architectures
"""

from __future__ import annotations

from rnndiag.records import Settings, Skipped
from rnndiag.rules.base import Fired, Rule, step
from rnndiag.snippets.base import Snippets

RULE = Rule(code="RNN504", severity="warning", rests_on="facts")
_SOURCE = "A: what to do 12"


def check(settings: Settings, snippets: Snippets) -> Fired | Skipped | None:
    """A fixed order, or state that depends on one."""
    stateful = [
        name for name, own in settings.layers.items() if own.stateful and own.stateful.value
    ]
    shuffle = settings.shuffle
    if stateful:
        return _carrying(stateful, settings, snippets)
    if shuffle is None:
        return Skipped(reason="whether samples are shuffled is not known: shuffle in --context")
    if shuffle.value:
        return None
    return Fired(
        message="samples come in the same order in every epoch",
        evidence={"shuffle": False, "source": shuffle.source},
        advice=(
            step("shuffle the samples anew for every epoch", _SOURCE, snippets.shuffling()),
            step("shuffle also which samples share a batch", _SOURCE),
        ),
    )


def _carrying(stateful: list[str], settings: Settings, snippets: Snippets) -> Fired:
    """Neither order is wrong by itself: a note."""
    names = ", ".join(stateful)
    shuffle = None if settings.shuffle is None else settings.shuffle.value
    order = {None: "", True: ", and samples are shuffled", False: ", and samples are not shuffled"}
    return Fired(
        message=f"{names} carries state from batch to batch{order[shuffle]}",
        severity="note",
        evidence={"stateful": stateful, "shuffle": shuffle},
        advice=(
            step(
                "shuffle whole sequences: which run side by side, and in which row; keep the "
                "windows of each in order and reset states where it ends",
                _SOURCE,
                snippets.shuffling(),
            ),
        ),
    )
