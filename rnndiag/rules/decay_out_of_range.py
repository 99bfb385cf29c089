"""A weight decay is far from the values that are worth trying.

What it means
    At least one of the decays of kernel, recurrent kernel and biases is not 0, and lies outside
    1e-5 … 1e-2: a decade below and above the values that both documents start from.

Why it matters
    Less than that does next to nothing. More than that takes the weights away faster than the
    loss can build them. Often it is a slip: a learning rate in the wrong place, or a value meant
    for another kind of decay. Decoupled decay (AdamW) is one: frameworks multiply it by the
    learning rate, so that values up to about 1 are in use there; above 1e-2 it is a note only.

What to do
    1. Try 1e-4 on the larger one of kernel and recurrent kernel, less on a much smaller one, and
    on biases no more than on either.
    2. Then try ten times that, and keep what validates better.

ELI5
    A pinch of salt makes the soup better. One single grain nobody can taste, and a whole cup
    nobody can eat. If the recipe says anything but a pinch, read the recipe again.

Sources
    - A: what to do 1
    - B: weight decay
    - B: checklist
    - Loshchilov & Hutter 2019, Decoupled weight decay regularization
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rnndiag import decays
from rnndiag.records import Advice, LayerSettings, Measured, Severity, Skipped
from rnndiag.rules.base import Cut, Fired, Rule, Thresholds, short, step, worse
from rnndiag.snippets.base import Snippets

if TYPE_CHECKING:
    from rnndiag.measurements.weight_norms import WeightNorms

RULE = Rule(code="RNN404", severity="warning", rests_on="facts")
_DECADE = "A: what to do 1, B: checklist (1e-4 to 1e-3); own cut: a decade more on either side"


class Cuts(Thresholds):
    """Which decays are usual."""

    lowest = Cut(1e-5, "λ", _DECADE)
    highest = Cut(1e-2, "λ", _DECADE)
    decoupled = Cut(
        1.0,
        "λ",
        "own cut: Loshchilov & Hutter 2019's .025 / √steps / rate is .08-.8 for 1e3-1e5 steps",
    )


@dataclass(frozen=True, kw_only=True)
class _Outside:
    """One decay that lies outside the range."""

    name: str
    decay: float
    bound: float
    severity: Severity

    @property
    def text(self) -> str:
        """The decay and the bound that it is beyond."""
        side = "above" if self.decay > self.bound else "below"
        written = decays.written(self.decay)
        return f"{self.name} decay {written} is {side} {decays.written(self.bound)}"

    @property
    def distance(self) -> float:
        """From the bound, in powers of e, for comparing both sides."""
        return abs(math.log(self.decay / self.bound))

    @property
    def measured(self) -> Measured:
        """It is worse further out, on either side."""
        name = f"{self.name.replace(' ', '_')}_decay"
        return (worse if self.decay > self.bound else short)(name, self.decay)


def check(
    own: LayerSettings, norms: WeightNorms, snippets: Snippets, cuts: Cuts
) -> Fired | Skipped | None:
    """Decays other than 0 outside the range."""
    named = {
        "kernel": own.kernel_decay,
        "recurrent": own.recurrent_decay,
        "bias": own.bias_decay,
    }
    known = {name: decay for name, decay in named.items() if decay is not None}
    if not known:
        return Skipped(reason="the file does not tell of weight decay: give --context FILE.toml")
    decoupled = own.penalty is not None and not own.penalty.value
    judged = [_judge(name, decay.value, decoupled, cuts) for name, decay in known.items()]
    outside = [found for found in judged if found is not None]
    if not outside:
        return None
    grave = any(found.severity == "warning" for found in outside)
    return Fired(
        message="; ".join(found.text for found in outside),
        severity="warning" if grave else "note",
        evidence={
            **{f"{name}_decay": decay.value for name, decay in known.items()},
            "source": next(iter(known.values())).source,
            "decoupled": decoupled,
        },
        measured=max(outside, key=lambda found: found.distance).measured,
        advice=tuple(_advice(norms, snippets)),
    )


def _judge(name: str, decay: float, decoupled: bool, cuts: Cuts) -> _Outside | None:
    if not decay or cuts.lowest <= decay <= cuts.highest:
        return None
    usual = decoupled and cuts.highest < decay <= cuts.decoupled
    return _Outside(
        name=name,
        decay=decay,
        bound=cuts.highest if decay > cuts.highest else cuts.lowest,
        severity="note" if usual else "warning",
    )


def _advice(norms: WeightNorms, snippets: Snippets) -> Iterator[Advice]:
    weak, strong = decays.fitted(norms), decays.fitted(norms, decays.LARGEST)
    yield step(
        f"{decays.written(weak.kernel)} on the kernel and {decays.written(weak.recurrent)} on "
        f"the recurrent kernel ({weak.reason})",
        "A: what to do 1",
        snippets.decay(weak.kernel, weak.recurrent, weak.bias),
    )
    yield step(
        f"then ten times that, {decays.written(strong.kernel)} and "
        f"{decays.written(strong.recurrent)}; keep what validates better",
        "B: checklist",
        snippets.decay(strong.kernel, strong.recurrent, strong.bias),
    )
