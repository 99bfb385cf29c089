"""The biases are decayed not at all, or more than the kernels.

What it means
    Kernel and recurrent kernel are known to be decayed, and the biases neither decayed nor
    bounded; or the biases have the largest decay of the three.

Why it matters
    A network that pays for every weight but not for biases puts into biases what it can. They
    may grow much faster than the kernels and dominate what units add up, which can make
    gradients explode as well. The other way round, biases that are held back most cannot even
    keep a forget gate open.

What to do
    1. Give the biases a decay, no more than the smaller one of the kernels.
    2. Or bound the norm of the bias vector.

    While the biases are still small it can wait; track the three norms meanwhile.

ELI5
    Two roads have a toll and the third has none. Soon all the cars are on the third, and it does
    not go where they want. Put a small toll on it, too, but not a larger one than on the others.

Sources
    - A: what to do 9
    - A: weight constraints
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rnndiag import decays
from rnndiag.records import Advice, LayerSettings, Skipped
from rnndiag.rules._biases import smaller
from rnndiag.rules.base import Fired, Rule, short, worse
from rnndiag.snippets.base import Snippets

if TYPE_CHECKING:
    from rnndiag.measurements.weight_norms import WeightNorms

RULE = Rule(code="RNN403", severity="note", rests_on="facts")


def check(own: LayerSettings, norms: WeightNorms, snippets: Snippets) -> Fired | Skipped | None:
    """K and R decayed and b not; or b decayed more than either."""
    if norms.bias is None:
        return Skipped(reason="the layer has no biases")
    if own.kernel_decay is None or own.recurrent_decay is None or own.bias_decay is None:
        return Skipped(
            reason="the file does not tell the decays of kernel, recurrent kernel and biases: "
            "give --context FILE.toml"
        )
    kernel, recurrent = own.kernel_decay.value, own.recurrent_decay.value
    bias = own.bias_decay.value
    found = {
        "kernel_decay": kernel,
        "recurrent_decay": recurrent,
        "bias_decay": bias,
        "bias_norm": norms.bias,
        "source": own.bias_decay.source,
    }
    pair = f"{decays.written(kernel)} and {decays.written(recurrent)}"
    if bias > max(kernel, recurrent):
        return _most(bias, pair, found, next(smaller(norms, own, snippets)))
    bounded = own.bias_constraint is not None and own.bias_constraint.value
    if bias or bounded or not (kernel and recurrent):
        return None
    # Bounded where they are: nothing says that they are too large already.
    return _missing(pair, found, tuple(smaller(norms, own, snippets, share=1.0)))


def _most(bias: float, pair: str, found: Mapping[str, object], advice: Advice) -> Fired:
    return Fired(
        message=(
            f"the biases are decayed by {decays.written(bias)}, more than kernel and recurrent "
            f"kernel ({pair})"
        ),
        severity="warning",
        evidence=found,
        measured=worse("bias_decay", bias),
        advice=(advice,),
    )


def _missing(pair: str, found: Mapping[str, object], advice: Sequence[Advice]) -> Fired:
    return Fired(
        message=f"kernel and recurrent kernel are decayed ({pair}), and the biases by 0",
        evidence=found,
        measured=short("bias_decay", 0),
        advice=advice,
    )
