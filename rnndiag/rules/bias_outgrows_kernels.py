"""Over the training, the biases grew much faster than the kernels.

What it means
    From the first checkpoint of the series to the last, the norm of the biases rose by a factor
    that is well above those of the kernel and the recurrent kernel.

Why it matters
    What grows fastest is what the loss finds cheapest to use. Where the kernels are held back,
    by decay or constraints, and the biases are not, training takes the free way: biases take
    over the sums, units listen less and less to input and state, and gradients can explode.

What to do
    1. Decay the biases as well, no more than kernel and recurrent kernel.
    2. Or bound the norm of the bias vector.

    Go on tracking the three norms: they should move together.

ELI5
    Three children get pocket money, but two of them have to pay for every sweet they eat. Guess
    who eats all the sweets. It need not be forbidden; it is enough that all three pay a little.

Sources
    - A: what to do 9
    - A: weight norm tracking
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rnndiag.records import LayerReport, LayerSettings, Series, Skipped
from rnndiag.rules._biases import smaller
from rnndiag.rules._growth import courses
from rnndiag.rules.base import Cut, Fired, Rule, Thresholds, worse
from rnndiag.snippets.base import Snippets

if TYPE_CHECKING:
    from rnndiag.measurements.weight_norms import WeightNorms

RULE = Rule(code="RNN304", severity="warning", rests_on="weights")


class Cuts(Thresholds):
    """How much faster is too much faster."""

    growth = Cut(1.5, "times over the series", "own cut: less is no growth to speak of")
    margin = Cut(
        2.0,
        "times the growth of either kernel",
        "own cut: .2-1.6 in small trainings without decay, up to 10 with 1e-2 on the kernels alone",
    )


def check(
    layer: LayerReport,
    series: Series,
    norms: WeightNorms,
    own: LayerSettings,
    snippets: Snippets,
    cuts: Cuts,
) -> Fired | Skipped | None:
    """Growth of ‖b‖ above that of ‖K‖ and of ‖R‖ by more than the margin."""
    found = courses(layer, series)
    if isinstance(found, Skipped):
        return found
    if found.bias is None:
        return Skipped(reason="the layer has no biases")
    bias, kernels = found.bias.factor, max(found.kernel.factor, found.recurrent.factor)
    if bias <= cuts.growth or bias <= cuts.margin * kernels:
        return None
    return Fired(
        message=(
            f"the biases grew {bias:.3g} times over {found.checkpoints} checkpoints, "
            f"{bias / kernels:.3g} times as much as either kernel, more than "
            f"{cuts.margin:g}"
        ),
        evidence={
            "kernel_growth": found.kernel.factor,
            "recurrent_growth": found.recurrent.factor,
            "bias_growth": bias,
            "checkpoints": found.checkpoints,
        },
        measured=worse("bias_to_kernel_growth", bias / kernels),
        advice=tuple(smaller(norms, own, snippets)),
    )
