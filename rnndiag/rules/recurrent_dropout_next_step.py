"""There is a next value of recurrent dropout to try.

What it means
    Recurrent dropout is tried in steps: each is worth a try if the one before it has helped. The
    file, or the trials that were given, say which step this network is on; this is the next.

Why it matters
    Of all kinds of dropout it is the one made for recurrent layers: it acts on what the layer
    tells itself, and leaves what comes in whole. How much of it helps differs from task to task,
    so it has to be tried, and in an order that stops early where it does not help.

    In Keras it has its price: a layer with ``recurrent_dropout`` leaves cuDNN's fused kernels,
    and on a GPU each epoch takes several times as long.

What to do
    1. Start with 0.2.
    2. Better? Then 0.4.
    3. Better again? Then 0.5; if not, 0.3, and that is the end.
    4. Write down what came of each (--trials) and this rule reads the next step from it.

ELI5
    You season a soup. A pinch of salt first, and you taste; if it was good, another pinch. Once
    it gets too much, you go back to a little less and leave it there. Nobody can tell the right
    amount without tasting.

Sources
    - A: recurrent dropout
    - A: what to do 3
    - B: dropout
    - Gal & Ghahramani 2016, A theoretically grounded application of dropout in recurrent neural
      networks
"""

from __future__ import annotations

from rnndiag import ladders
from rnndiag.records import LayerReport, LayerSettings, Report, Skipped, Trials
from rnndiag.rules._last_resort import above
from rnndiag.rules.base import Fired, Rule, step
from rnndiag.snippets.base import Snippets

RULE = Rule(code="RNN407", severity="note", rests_on="facts")
_LADDER = ladders.LADDERS["recurrent_dropout"]
_SLOWER = " (on a GPU expect slower epochs: Keras leaves cuDNN's fused kernels)"
_TABLE = step(
    "write the metric of each try into a table and give it with --trials", "A: what to do 3"
)


def check(
    layer: LayerReport,
    own: LayerSettings,
    trials: Trials | None,
    report: Report,
    snippets: Snippets,
) -> Fired | Skipped | None:
    """The rung above the layer's rate, or the one that the trials lead to."""
    known = own.recurrent_dropout
    if trials is not None:
        following = ladders.next_step("recurrent_dropout", trials)
        if following.value is None:
            return None
        value, why = float(following.value), following.reason
    elif known is None:
        return Skipped(
            reason="the file does not tell of recurrent dropout: "
            "give --context FILE.toml (recurrent_dropout)"
        )
    else:
        rung = above(known.value)
        if rung is None:
            return None
        value, why = rung, _why(rung)
    # Convolutions have no such kernels.
    fused = report.checkpoint.framework == "keras" and not layer.kind.startswith("Conv")
    slower = _SLOWER if fused and not _used(own) and value else ""
    return Fired(
        message=_message(own, value),
        evidence={
            "recurrent_dropout": known.value if known else None,
            "next": value,
            "source": known.source if known else None,
        },
        advice=(
            step(f"{why}{slower}", "A: what to do 3", snippets.recurrent_dropout(value)),
            *(() if trials else (_TABLE,)),
        ),
    )


def _used(own: LayerSettings) -> bool:
    return own.recurrent_dropout is not None and own.recurrent_dropout.value > 0


def _why(value: float) -> str:
    """What makes a rung worth trying, and where to go if it does not help."""
    rungs = list(_LADDER.rungs)
    place = rungs.index(value)
    if place == 0:
        return f"try {value:g}; keep it if validation improves, otherwise do without"
    below = rungs[place - 1]
    otherwise = "do without" if place == 1 else f"{_LADDER.fallback:g} and stop there"
    return f"if {below:g} improved validation, try {value:g}; otherwise {otherwise}"


def _message(own: LayerSettings, value: float) -> str:
    if not value:
        return "the trials of recurrent dropout lack one without it, to compare with"
    known = own.recurrent_dropout
    if known is None:
        return f"of recurrent dropout, {value:g} is the next to try"
    if not known.value:
        return f"no recurrent dropout; {value:g} is the next to try"
    if known.value >= value:
        return f"by the trials, recurrent dropout of {value:g} is the next to try"
    return f"recurrent dropout is {known.value:g}; {value:g} is the next to try"
