"""The norm of the weights fell many times over the training.

What it means
    From the first checkpoint of the series to the last, the norm of the kernel or of the
    recurrent kernel fell to a small part of what it was, and nothing says that the matrix had no
    decay.

Why it matters
    Some decay keeps units in the middle of their range. So much of it takes the weights away
    altogether: units become linear, then silent, gates stay half open, and what is left of the
    layer is its biases. A recurrent kernel near zero is a layer without memory.

What to do
    1. A tenth of the decay; track the norms again.
    2. See whether training loss is high and flat as well: then less regularization of any kind.
    3. If strong decay is wanted, for gradients that reach far back, stack a second layer for the
    power of expression that it costs.

ELI5
    Pruning a rose is good for it, and everybody who has seen it done wants to cut a little more.
    Cut every branch down to the ground each week, and there will be no roses at all.

Sources
    - A: weight norm tracking
    - A: weight decay 2
    - B: tuning: underfits
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rnndiag import decays
from rnndiag.records import Advice, LayerReport, LayerSettings, Series, Skipped
from rnndiag.rules._growth import Matrix, courses
from rnndiag.rules.base import Cut, Fired, Rule, Thresholds, short, step
from rnndiag.snippets.base import Snippets

RULE = Rule(code="RNN306", severity="warning", rests_on="weights")
_LESS = 0.1
"""Of the decay that there was: a decade is as far apart as the documents' values are."""


class Cuts(Thresholds):
    """What is left of a norm where decay was too strong."""

    left = Cut(
        1 / 3,
        "of the first norm",
        "own cut: 1-7 in small trainings without decay, .34 and more where decay did no harm",
    )


def check(
    layer: LayerReport, series: Series, own: LayerSettings, snippets: Snippets, cuts: Cuts
) -> Fired | Skipped | None:
    """‖K‖ or ‖R‖ at the end of the series far below what it was, unless it had no decay."""
    found = courses(layer, series)
    if isinstance(found, Skipped):
        return found
    kernels = found.kernels(own)
    fallen = [it for it in kernels if it.decay != 0 and it.course.factor < cuts.left]
    if not fallen:
        return None
    return Fired(
        message=(
            f"over {found.checkpoints} checkpoints {' and '.join(map(_told, fallen))}, "
            f"to less than {cuts.left:.2g} of it"
        ),
        confidence="high" if all(matrix.decay for matrix in fallen) else "medium",
        evidence={
            "kernel_decay": kernels[0].decay,
            "recurrent_decay": kernels[1].decay,
            "kernel_growth": found.kernel.factor,
            "recurrent_growth": found.recurrent.factor,
            "checkpoints": found.checkpoints,
        },
        measured=short("growth", min(matrix.course.factor for matrix in fallen)),
        advice=tuple(_advice(kernels, fallen, own, snippets)),
    )


def _told(matrix: Matrix) -> str:
    return f"the norm of the {matrix.name} fell from {matrix.course.text}"


def _advice(
    kernels: Sequence[Matrix], fallen: Sequence[Matrix], own: LayerSettings, snippets: Snippets
) -> Iterator[Advice]:
    kernel, recurrent = (_less(matrix, matrix in fallen) for matrix in kernels)
    bias = min(own.bias_decay.value if own.bias_decay else 0.0, kernel, recurrent)
    yield step(
        f"less decay: {decays.written(kernel)} on the kernel, {decays.written(recurrent)} on "
        "the recurrent kernel",
        "A: weight norm tracking",
        snippets.decay(kernel, recurrent, bias),
    )
    yield step(
        "less of every other regularizer, if training loss is high too", "B: tuning: underfits"
    )
    yield step(
        "if the decay is to stay: a second layer, for the power of expression that it costs",
        "A: weight decay 2",
        snippets.stacked(),
    )


def _less(matrix: Matrix, fell: bool) -> float:
    """A tenth of the decay of what fell; the smaller value to try where it is not known."""
    if matrix.decay is None:
        return decays.SMALLEST
    return matrix.decay * _LESS if fell else matrix.decay
