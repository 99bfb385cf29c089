"""Both losses are still near where they started.

What it means
    Over all evaluations the training loss hardly fell, it ended about where it began, and
    validation loss lies beside it: the network learned next to nothing. What a good loss would
    be no file tells; a task that cannot be done any better looks the same.

Why it matters
    Regularization is no help here: there is nothing yet to hold back. Either something keeps
    gradients from arriving, or the network is not free or not large enough.

What to do
    1. See first whether another rule names a cause: a short memory, dead units, stuck gates,
    inputs on a wrong scale. What changes inside tells more than the loss does.
    2. Less regularization: smaller dropout and weight decay.
    3. A larger network: more units for richer data, more layers for more steps of thought.
    4. A lower learning rate: slower, but steadier. Where losses and weight norms both stand
    still under a low rate, the contrary is worth a try: a high rate can leave the region that
    holds them.
    5. Train longer.

ELI5
    Your kite does not rise. Maybe its tail is too heavy, maybe it is too small for the wind,
    maybe you jerk the string, maybe you gave up too soon. Running further with a kite that has
    a hole in it does not help, so look it over first.

Sources
    - B: tuning: underfits
    - B: insight 1
    - A: learning 2
    - A: introspection
    - A: depth vs. width
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from rnndiag.decays import written
from rnndiag.records import Advice, History, LayerSettings, Report, Setting, Settings, Skipped
from rnndiag.rules._advice import lower_rate, percent
from rnndiag.rules._known import largest
from rnndiag.rules._losses import Losses, losses_of
from rnndiag.rules._sizes import resized
from rnndiag.rules.base import Cut, Fired, Rule, Thresholds, short, step
from rnndiag.snippets.base import Snippets

RULE = Rule(code="RNN602", severity="warning", rests_on="facts")
_SOURCE = "B: tuning: underfits"


class Cuts(Thresholds):
    """How flat, for how long, and how close."""

    fall = Cut(0.1, "of the first training loss", "own cut")
    evaluations = Cut(5, "evaluations", "own cut: fewer may only be slow")
    gap = Cut(0.1, "of the training loss", "own cut: as for overfitting", least=0)


def check(
    history: History, report: Report, settings: Settings, snippets: Snippets, cuts: Cuts
) -> Fired | Skipped | None:
    """A training loss that hardly fell, with validation beside it."""
    losses = losses_of(history, settings)
    if isinstance(losses, Skipped):
        return losses
    train, gap = losses.known_train, losses.gap
    if len(train) < cuts.evaluations:
        return Skipped(
            reason=f"{history.source} has fewer than {cuts.evaluations:g} training losses"
        )
    if gap is None or min(train) <= 0:
        return Skipped(reason="losses that are not positive do not tell how far they fell")
    fall = (train[0] - min(train)) / train[0]
    # Losses that end far above where they began have learned something, and then lost it.
    rise = (train[-1] - train[0]) / train[0]
    if fall >= cuts.fall or rise >= cuts.fall or abs(gap) > cuts.gap:
        return None
    return Fired(
        message=(
            f"in {len(train)} evaluations training loss fell from {train[0]:.4g} to "
            f"{min(train):.4g}, by {percent(fall)}, less than {percent(cuts.fall)}"
        ),
        confidence="medium",
        doubt="a task that cannot be done any better looks the same",
        evidence={"fall": fall, **_ends(losses)},
        measured=short("fall", fall),
        advice=tuple(_advice(report, settings, snippets)),
    )


def _ends(losses: Losses) -> dict[str, object]:
    return {
        "train_loss": losses.last_train,
        "validation_loss": losses.last_validation,
        "gap": losses.gap,
        "evaluations": len(losses.epochs),
    }


def _advice(report: Report, settings: Settings, snippets: Snippets) -> Iterator[Advice]:
    yield step(
        "see first whether another finding names a cause: a short memory, dead units, stuck gates, "
        "inputs on a wrong scale",
        "A: introspection",
    )
    yield from _less_regularization(settings, snippets)
    words, snippet = resized(report, 2, snippets)
    yield step(f"a larger network: {words}", _SOURCE, snippet)
    # The same step as for unstable training, from another passage.
    yield replace(lower_rate(settings, snippets), source=_SOURCE)
    yield step("train longer, once the losses fall at all", _SOURCE)


def _less_regularization(settings: Settings, snippets: Snippets) -> Iterator[Advice]:
    """Half of a dropout and a tenth of a decay, for what is known to be there."""
    layers = settings.layers.values()
    dropouts = (
        ("recurrent dropout", snippets.recurrent_dropout, [x.recurrent_dropout for x in layers]),
        ("dropout on the inputs", snippets.dropout, [x.dropout for x in layers]),
    )
    for name, snippet, found in dropouts:
        if now := largest(found):
            text = f"half the {name}: {now / 2:g} instead of {now:g}"
            yield step(text, _SOURCE, snippet(now / 2))
    decays = [largest(own) for own in zip(*map(_decays, layers), strict=True)]
    if any(decays):
        less = [float(f"{decay / 10:.3g}") for decay in decays]
        yield step(
            f"a tenth of the weight decay: at most {written(max(less))} instead of "
            f"{written(max(decays))}",
            _SOURCE,
            snippets.decay(*less),
        )


def _decays(own: LayerSettings) -> tuple[Setting[float] | None, ...]:
    return own.kernel_decay, own.recurrent_decay, own.bias_decay
