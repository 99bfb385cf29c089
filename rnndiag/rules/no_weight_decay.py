"""Neither kernel nor recurrent kernel is decayed.

What it means
    The file (or --context) tells how the network was trained, and nothing in it pulls the input
    weights or the recurrent weights towards zero.

Why it matters
    Large weights are what memorising takes, and in a recurrent layer they push saturating
    activations to their flat ends, where gradients stop. A little decay keeps units in the part
    of their range where they can still learn.

What to do
    1. Try 1e-3 and 1e-4 and see which does better.
    2. Give kernel and recurrent kernel values of their own: the much smaller matrix gets less.
    3. Give biases no more than either. Once this is settled, let a search do the fine tuning
    (Bayesian optimization) over just the regularizers that proved to matter.

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

from typing import TYPE_CHECKING

from rnndiag import decays
from rnndiag.records import LayerSettings, Skipped
from rnndiag.rules.base import Fired, Rule, step
from rnndiag.snippets.base import Snippets

if TYPE_CHECKING:
    from rnndiag.measurements.weight_norms import WeightNorms

RULE = Rule(code="RNN401", severity="note", rests_on="facts")


def check(
    settings: LayerSettings, norms: WeightNorms, snippets: Snippets
) -> Fired | Skipped | None:
    """Known to be without decay on K or on R."""
    kernel, recurrent = settings.kernel_decay, settings.recurrent_decay
    if kernel is None or recurrent is None:
        return Skipped(reason="the file does not tell of weight decay: give --context FILE.toml")
    if kernel.value and recurrent.value:
        return None
    bare = [
        name
        for name, decay in (("kernel", kernel), ("recurrent kernel", recurrent))
        if not decay.value
    ]
    weak, strong = decays.fitted(norms), decays.fitted(norms, decays.LARGEST)
    return Fired(
        message=f"no weight decay on the {' and the '.join(bare)}",
        evidence={
            "kernel_decay": kernel.value,
            "recurrent_decay": recurrent.value,
            "source": recurrent.source,
        },
        advice=(
            step(
                f"try {weak.kernel:g} on the kernel and {weak.recurrent:g} on the recurrent "
                f"kernel ({weak.reason})",
                "A: what to do 1",
                snippets.decay(weak.kernel, weak.recurrent, weak.bias),
            ),
            step(
                f"then ten times that: {strong.kernel:g} and {strong.recurrent:g}; keep what "
                "validates better",
                "B: checklist",
                snippets.decay(strong.kernel, strong.recurrent, strong.bias),
            ),
        ),
    )
