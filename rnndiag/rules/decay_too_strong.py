"""The weights got much smaller in training, or are smaller than they started.

What it means
    From the first checkpoint of the series to the last, the norm of the kernel or of the
    recurrent kernel fell to a small part of what it was, and nothing says that the matrix had no
    decay. Or, which takes no series: both kernels are less than half as large as the framework's
    default initialisation makes them, and the layer is barely used. In one published network such
    a direction of a bidirectional layer could be frozen and moved the output by 12 %, where
    freezing the other one moved it by 100 %. By itself that is a note: the layer may have been
    initialised in another way.

Why it matters
    Some decay keeps units in the middle of their range. So much of it takes the weights away
    altogether: units become linear, then silent, gates stay half open, and what is left of the
    layer is its biases. A recurrent kernel near zero is a layer without memory.

What to do
    1. A tenth of the decay; track the norms again.
    2. See whether training loss is high and flat as well: then less regularization of any kind.
    3. If strong decay is wanted, for gradients that reach far back, stack a second layer for the
    power of expression that it costs.
    4. A layer that is barely used: put its mean output in the place of its output. If validation
    hardly notices, do without the layer; where nothing decays it, there is no other step.

ELI5
    Pruning a rose is good for it, and everybody who has seen it done wants to cut a little more.
    Cut every branch down to the ground each week, and there will be no roses at all.

Sources
    - A: weight norm tracking
    - A: weight decay 2
    - A: introspection
    - B: tuning: underfits
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rnndiag import decays
from rnndiag.records import Advice, LayerReport, LayerSettings, Series, Setting, Skipped
from rnndiag.rules._growth import Matrix, courses
from rnndiag.rules.base import Cut, Fired, Rule, Thresholds, short, step
from rnndiag.snippets.base import Snippets

if TYPE_CHECKING:
    from rnndiag.measurements.initial_growth import InitialGrowth

RULE = Rule(code="RNN306", severity="warning", rests_on="weights")
_LESS = 0.1
"""Of the decay that there was: a decade is as far apart as the documents' values are."""


class Cuts(Thresholds):
    """What is left of a norm where decay was too strong, or a layer is not used."""

    left = Cut(
        1 / 3,
        "of the first norm",
        "own cut: 1-7 in small trainings without decay, .34 and more where decay did no harm",
    )
    used = Cut(
        0.5,
        "of the initial size",
        "own cut: a published direction below it moved the output by 12 % when frozen",
    )


def check(
    layer: LayerReport,
    series: Series | None,
    growth: InitialGrowth | None,
    own: LayerSettings,
    snippets: Snippets,
    cuts: Cuts,
) -> Fired | Skipped | None:
    """‖K‖ or ‖R‖ far below what it was at the beginning; or both kernels below their start."""
    found = _fallen(layer, series, own, snippets, cuts)
    if isinstance(found, Fired) or growth is None:
        return found
    if growth.kernel < cuts.used and growth.recurrent < cuts.used:
        return _barely_used(growth, own, snippets, cuts)
    return found


def _fallen(
    layer: LayerReport,
    series: Series | None,
    own: LayerSettings,
    snippets: Snippets,
    cuts: Cuts,
) -> Fired | Skipped | None:
    """What the series tells."""
    found = courses(layer, series)
    if isinstance(found, Skipped):
        return found
    kernels = found.kernels(own)
    fallen = [it for it in kernels if it.decay != 0 and it.course.factor < cuts.left]
    if not fallen:
        return None
    known = all(matrix.decay for matrix in fallen)
    return Fired(
        message=(
            f"over {found.checkpoints} checkpoints {' and '.join(map(_told, fallen))}, "
            f"to less than {cuts.left:.2g} of it"
        ),
        confidence="high" if known else "medium",
        doubt=None if known else "whether it was decayed at all is not known",
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


def _barely_used(
    growth: InitialGrowth, own: LayerSettings, snippets: Snippets, cuts: Cuts
) -> Fired:
    """Both kernels are small, whatever made them so."""
    return Fired(
        message=(
            f"kernel and recurrent kernel are {growth.kernel:.3g} and {growth.recurrent:.3g} "
            f"times as large as at the start, both under {cuts.used:g}: the layer is barely used"
        ),
        severity="note",
        confidence="medium",
        doubt="compared with the framework's default initialisation, whatever was used",
        evidence={
            "kernel_initial_growth": growth.kernel,
            "recurrent_initial_growth": growth.recurrent,
            "initialisation": growth.initialisation,
            "kernel_decay": own.kernel_decay.value if own.kernel_decay else None,
            "recurrent_decay": own.recurrent_decay.value if own.recurrent_decay else None,
        },
        measured=short("initial_growth", max(growth.kernel, growth.recurrent)),
        advice=(
            *_less_decay(own, snippets),
            step(
                "put the layer's mean output in the place of its output: if validation hardly "
                "notices, do without the layer",
                "A: introspection",
            ),
        ),
    )


def _less_decay(own: LayerSettings, snippets: Snippets) -> Iterator[Advice]:
    """A tenth of each decay, where any is known."""
    known = (own.kernel_decay, own.recurrent_decay, own.bias_decay)
    kernel, recurrent, bias = (_tenth(setting) for setting in known)
    if kernel or recurrent:
        yield step(
            f"less decay: {decays.written(kernel)} on the kernel, {decays.written(recurrent)} on "
            "the recurrent kernel",
            "A: weight norm tracking",
            snippets.decay(kernel, recurrent, bias),
        )


def _tenth(decay: Setting[float] | None) -> float:
    return decay.value * _LESS if decay else 0.0


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
