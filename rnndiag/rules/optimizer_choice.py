"""The optimizer is none of those that the documents recommend.

What it means
    The file (or --context) tells which optimizer trained the network, and it is not Nadam, NadamW
    or AdamW.

Why it matters
    Which optimizer finds the weights decides which weights are found: it regularizes, in a way
    that nobody has fully explained. With recurrent networks Nadam, Adam with Nesterov's
    look-ahead, did better than all others in the experience that document A tells of. That is one
    person's experience, and trying it takes one line.

What to do
    1. Try Nadam, at the same learning rate if it was Adam.
    2. With weight decay take NadamW or AdamW: their decay stays out of the scaled gradient.
    3. Compare at the best learning rate of each: another optimizer has another one.

ELI5
    Two hikers look for the lowest place in the fog. One looks at the slope under his feet. The
    other takes his next step in his mind first, and looks at the slope there. He turns sooner
    where it goes up again, and often ends up in another valley.

Sources
    - A: what to do 13
    - A: bonus
    - Dozat 2016, Incorporating Nesterov momentum into Adam
    - Loshchilov & Hutter 2019, Decoupled weight decay regularization
"""

from __future__ import annotations

from rnndiag import decays
from rnndiag.records import Settings, Skipped
from rnndiag.rules.base import Fired, Rule, step
from rnndiag.snippets.base import Snippets

RULE = Rule(code="RNN412", severity="note", rests_on="facts")
_RECOMMENDED = ("Nadam", "NadamW", "AdamW")
_SAME_SCALE = (*_RECOMMENDED, "Adam", "Adamax", "RAdam", "RMSprop")
"""Optimizers for which the same learning rates are usual."""
_USUAL_RATE = 1e-3


def check(settings: Settings, snippets: Snippets) -> Fired | Skipped | None:
    """Known, and none of the recommended ones."""
    known = settings.optimizer
    if known is None:
        return Skipped(reason="the optimizer is not known: give --context FILE.toml (optimizer)")
    choice = known.value.split(" or ")
    if set(choice) <= set(_RECOMMENDED):
        return None
    if not set(choice).isdisjoint(_RECOMMENDED):
        return Skipped(
            reason=f"the file leaves open whether it is {known.value}: "
            "give --context FILE.toml (optimizer)"
        )
    rate = _rate(settings, choice)
    decay = (settings.weight_decay.value if settings.weight_decay else 0.0) or decays.SMALLEST
    return Fired(
        message=f"trained with {known.value}; Nadam or AdamW are worth a try",
        evidence={"optimizer": known.value, "source": known.source},
        advice=(
            step(
                f"Nadam at a learning rate of {rate:g}",
                "A: what to do 13",
                snippets.optimizer("Nadam", rate, None),
            ),
            step(
                f"or AdamW, with decoupled weight decay ({decays.written(decay)})",
                "A: bonus",
                snippets.optimizer("AdamW", rate, decay),
            ),
        ),
    )


def _rate(settings: Settings, choice: list[str]) -> float:
    """The same, unless it was for an optimizer that takes rates of another size."""
    rate = settings.learning_rate
    return (
        rate.value if rate and rate.value > 0 and set(choice) <= set(_SAME_SCALE) else _USUAL_RATE
    )
