"""Neither kernel nor recurrent kernel is decayed.

What it means
    The file (or --context) tells how the network was trained, and nothing in it pulls the input
    weights or the recurrent weights towards zero.

Why it matters
    Large weights are what memorising takes, and in a recurrent layer they push saturating
    activations to their flat ends, where gradients stop. A little decay keeps units in the part
    of their range where they can still learn.

What to do
    1. Try 1e-4 on the larger one of kernel and recurrent kernel. Each gets a value of its own: the
    much smaller matrix less, and biases no more than either.
    2. Then try ten times that, and keep what does better.

    With --trials, what was tried decides which value comes next. Once this is settled, let a search
    do the fine tuning (Bayesian optimization) over just the regularizers that proved to matter.

ELI5
    You may take as many toys on a trip as you like, but each one has to be carried. Soon you
    only bring those that you really play with. Weight decay is the carrying.

Sources
    - A: weight decay 1
    - A: what to do 1
    - A: tip 1
    - B: weight decay
    - B: checklist
    - B: insight 3
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from rnndiag import decays, ladders
from rnndiag.records import Advice, LayerSettings, Setting, Skipped, Trials
from rnndiag.rules.base import Fired, Rule, step
from rnndiag.snippets.base import Snippets

if TYPE_CHECKING:
    from rnndiag.measurements.weight_norms import WeightNorms

RULE = Rule(code="RNN401", severity="note", rests_on="facts")
_SOURCE = "A: what to do 1"
_NAMES = {"kernel": "kernel", "recurrent": "recurrent kernel"}
"""What `decays` calls a matrix → what people do."""


def check(
    settings: LayerSettings, norms: WeightNorms, trials: Trials | None, snippets: Snippets
) -> Fired | Skipped | None:
    """Known to be without decay, and without a constraint, on K or on R."""
    kernel, recurrent = settings.kernel_decay, settings.recurrent_decay
    if kernel is None or recurrent is None:
        return Skipped(reason="the file does not tell of weight decay: give --context FILE.toml")
    free = {
        "kernel": not (kernel.value or _bound(settings.kernel_constraint)),
        "recurrent": not (recurrent.value or _bound(settings.recurrent_constraint)),
    }
    bare = [name for name, is_free in free.items() if is_free]
    if not bare:
        return None
    named = " and the ".join(_NAMES[name] for name in bare)
    return Fired(
        message=f"no weight decay on the {named}",
        evidence={
            "kernel_decay": kernel.value,
            "recurrent_decay": recurrent.value,
            "source": recurrent.source,
        },
        advice=tuple(
            _first_values(settings, bare, norms, snippets)
            if trials is None
            else _climb(trials, snippets)
        ),
    )


def _bound(constraint: Setting[str] | None) -> bool:
    """A bound on the norm keeps weights small as decay does (A: weight constraints)."""
    return constraint is not None and "Norm" in constraint.value


def _first_values(
    own: LayerSettings, bare: Collection[str], norms: WeightNorms, snippets: Snippets
) -> Iterator[Advice]:
    """Both values of the documents for what has none; a decay that is there stays."""
    weak, strong = (
        decays.next_decay(own, norms, start=start, raising=bare) or decays.fitted(norms, start)
        for start in (decays.SMALLEST, decays.LARGEST)
    )
    yield step(
        f"try {decays.written(weak.kernel)} on the kernel and {decays.written(weak.recurrent)} on "
        f"the recurrent kernel ({weak.reason})",
        _SOURCE,
        snippets.decay(weak.kernel, weak.recurrent, weak.bias),
    )
    much = "ten times as much where there was none" if weak.raised else "ten times that"
    yield step(
        f"then {much}: {decays.written(strong.kernel)} and "
        f"{decays.written(strong.recurrent)}; keep what validates better",
        "B: checklist",
        snippets.decay(strong.kernel, strong.recurrent, strong.bias),
    )


def _climb(trials: Trials, snippets: Snippets) -> Iterator[Advice]:
    """The next value of each kernel's ladder, by what was tried."""
    kernel = ladders.next_step("kernel_decay", trials)
    recurrent = ladders.next_step("recurrent_decay", trials)
    values = _value(kernel), _value(recurrent)
    yield step(f"kernel: {_told(kernel)}", _SOURCE)
    yield step(
        f"recurrent kernel: {_told(recurrent)}",
        _SOURCE,
        snippets.decay(*values, min(values)) if any(values) else "",
    )


def _value(found: ladders.Next) -> float:
    """To try next, or to keep; 0 for the baseline and for what is scrapped."""
    value = found.keep if found.value is None else found.value
    return 0.0 if value is None or isinstance(value, str) else float(value)


def _told(found: ladders.Next) -> str:
    if found.value is not None:
        return found.reason
    keep = "no decay" if found.keep == "scrap" else f"keep {decays.written(_value(found))}"
    return f"{keep} ({found.reason})"
