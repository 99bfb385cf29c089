"""A stateful layer carries its state from window to window, but no gradient.

What it means
    The gradient reaches through the whole window, and the state goes on into the next one. So
    values may travel across span × windows timesteps. That is carried context and no measured
    gradient: where a window begins, every gradient ends.

Why it matters
    The network can make use of what it carries over, but nothing taught it what is worth
    carrying further than one window. And carried state is only right where windows come in
    order: what may be shuffled, and what may not, is another matter than elsewhere.

What to do
    1. Say how many windows a sequence has (--windows), if you have not yet.
    2. Shuffle as far as the order allows: which sequences go into a batch together, and in which
    row each of them runs. The windows of one sequence stay in order, and the state is reset where
    it ends.
    3. Where gradients themselves have to reach further (--lag), train on longer windows.

ELI5
    You read a long story, one page each evening. You still know yesterday's page, so you follow
    the story over weeks. But when you find that you misread something, you only look it up on
    the page before you. The pages of one book must stay in order; whose book comes first is up
    to you.

Sources
    - A: what to do 12
    - A: update
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rnndiag.records import Advice
from rnndiag.rules.base import Fired, Lag, Rule, short, step

if TYPE_CHECKING:
    from rnndiag.measurements.carried_context import CarriedContext

RULE = Rule(code="RNN104", severity="note", rests_on="memory")


def check(context: CarriedContext, lag: Lag | None) -> Fired:
    """Span × windows, wherever a stateful layer's gradient reaches through its window."""
    return Fired(
        message=_message(context),
        evidence={
            "carried_context": context.timesteps,
            "span": context.span,
            "windows": context.windows,
        },
        measured=short("carried_context", context.timesteps),
        advice=tuple(_advice(context, lag)),
    )


def _message(context: CarriedContext) -> str:
    if context.windows == 1:
        return f"state is carried on after {context.span} steps, gradients are not"
    return (
        f"state is carried across {context.windows} windows of {context.span} steps, "
        f"{context.timesteps} in all, gradients across {context.span}"
    )


def _advice(context: CarriedContext, lag: int | None) -> Iterator[Advice]:
    if context.windows == 1:
        text = "say how many windows one sequence has: --windows N"
        yield step(text, "A: update")
    yield step(
        "shuffle which sequences share a batch, never the windows of one sequence; reset the "
        "state where a sequence ends",
        "A: what to do 12",
    )
    if lag is not None and lag > context.span:
        yield step(
            f"train on windows of at least {lag} steps: the lag is longer than the "
            f"{context.span} that gradients cross",
            "A: update",
        )
