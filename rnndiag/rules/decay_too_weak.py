"""Decay did not keep the weights small: their norm did not fall, or one of them is huge.

What it means
    A weight decay is known to have been at work, but at the last checkpoint of the series the norm
    of the matrix is as high as it ever was, or nearly so. A norm that rose while the network
    learned and has been falling since its peak is no such case. Or, which takes no series and no
    known decay: the largest weight of the layer is above 20, where good published models mostly
    end below 12.

Why it matters
    Decay is there to keep weights small. If the norm does not move, either the loss pulls as hard
    the other way, which may be just right, or the value is too small to count. Then the network
    is as good as undecayed, and comparing runs with and without decay compares nothing. A single
    huge weight means that one input, one unit or one bias settles what a gate does.

What to do
    1. Look at the validation loss first: if it does not rise, there may be nothing to mend.
    2. Else try ten times the decay on the matrix that did not shrink, and track the norms again.
    Without a decay start at 1e-4; where the huge weight is a bias, decay or bound the biases.
    3. From 1e-2 on, rather bound the weights than decay them still more. Decoupled decay (AdamW)
    may go on to 1: frameworks multiply it by the learning rate.

ELI5
    You pull the plug of the bathtub, but the tap stays open, and the water does not get any
    lower. Perhaps that is what you want, a tub that stays full. If not, open the drain wider.

Sources
    - A: weight norm tracking
    - A: what to do 1
    - A: what to do 9
    - A: introspection
    - A: weight constraints
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rnndiag import decays
from rnndiag.records import Advice, LayerReport, LayerSettings, Series, Settings, Skipped
from rnndiag.rules._advice import percent
from rnndiag.rules._biases import smaller
from rnndiag.rules._decay_advice import bound_instead
from rnndiag.rules._growth import Matrix, courses
from rnndiag.rules.base import Cut, Fired, Rule, Thresholds, step, worse
from rnndiag.snippets.base import Snippets

if TYPE_CHECKING:
    from rnndiag.measurements.weight_norms import WeightNorms

RULE = Rule(code="RNN305", severity="note", rests_on="weights")
_DECOUPLED_TOP = 1.0
"""Frameworks multiply decoupled decay by the learning rate, so RNN404 accepts up to this."""
_NAMES = {"kernel": "kernel", "recurrent kernel": "recurrent"}
"""What a rule calls a matrix → what `decays` does."""


class Cuts(Thresholds):
    """How far a norm has to fall, and how large a single weight may be."""

    fall = Cut(0.02, "of the highest norm", "own cut: less is no fall to speak of", least=0)
    largest = Cut(20, "max|w|", "own cut: .6-12 in good published LSTMs, .6-.85 in GRUs")


def check(
    layer: LayerReport,
    series: Series | None,
    norms: WeightNorms,
    own: LayerSettings,
    settings: Settings,
    snippets: Snippets,
    cuts: Cuts,
) -> Fired | Skipped | None:
    """‖K‖ or ‖R‖ as high as ever at the end of the series, although decayed; or a huge weight."""
    found = _unmoved(layer, series, norms, own, settings, snippets, cuts)
    if isinstance(found, Fired) or norms.max_abs <= cuts.largest:
        return found
    return _huge(layer, norms, own, snippets, cuts)


def _unmoved(
    layer: LayerReport,
    series: Series | None,
    norms: WeightNorms,
    own: LayerSettings,
    settings: Settings,
    snippets: Snippets,
    cuts: Cuts,
) -> Fired | Skipped | None:
    """What the series tells."""
    found = courses(layer, series)
    if isinstance(found, Skipped):
        return found
    kernels = found.kernels(own)
    decayed = [matrix for matrix in kernels if matrix.decay]
    if not decayed:
        return _none(kernels)
    # Since the peak: early on weights grow as the network learns, whatever the decay is.
    still = [matrix for matrix in decayed if matrix.course.since_peak > 1 - cuts.fall]
    if not still:
        return None
    names = [matrix.name for matrix in still]
    return Fired(
        message=f"although decayed, {' and '.join(map(_told, still))}: no fall by {cuts.fall:.0%}",
        confidence="medium",
        doubt="where the loss pulls as hard the other way, it looks the same",
        evidence={
            "kernel_decay": kernels[0].decay,
            "recurrent_decay": kernels[1].decay,
            "kernel_growth": found.kernel.factor,
            "recurrent_growth": found.recurrent.factor,
            "kernel_since_peak": found.kernel.since_peak,
            "recurrent_since_peak": found.recurrent.since_peak,
            "checkpoints": found.checkpoints,
        },
        measured=worse("growth", max(matrix.course.factor for matrix in still)),
        advice=(_leave(still, settings), _more(names, layer, norms, own, snippets)),
    )


def _huge(
    layer: LayerReport, norms: WeightNorms, own: LayerSettings, snippets: Snippets, cuts: Cuts
) -> Fired:
    """A single weight above the cut, whether or not any decay is known."""
    part, gate = _largest_weight(norms)
    return Fired(
        message=(
            f"the largest weight, in the {part} of the {gate} gate, is {norms.max_abs:.3g}, more "
            f"than {cuts.largest:g}"
        ),
        evidence={
            "max_abs": norms.max_abs,
            "part": part,
            "gate": gate,
            "kernel_decay": own.kernel_decay.value if own.kernel_decay else None,
            "recurrent_decay": own.recurrent_decay.value if own.recurrent_decay else None,
        },
        measured=worse("max_abs", norms.max_abs),
        advice=(
            step("leave it if validation loss does not rise", "A: introspection"),
            *_against(part, layer, norms, own, snippets),
        ),
    )


def _largest_weight(norms: WeightNorms) -> tuple[str, str]:
    """In which part of which gate it stands."""
    sizes = {
        (part, gate): array.max_abs
        for gate, own in norms.gates.items()
        for part, array in (
            ("kernel", own.kernel),
            ("recurrent kernel", own.recurrent),
            ("bias", own.bias),
        )
        if array is not None
    }
    return max(sizes, key=lambda place: sizes[place])


def _against(
    part: str, layer: LayerReport, norms: WeightNorms, own: LayerSettings, snippets: Snippets
) -> Iterator[Advice]:
    if part == "bias":
        yield from smaller(norms, own, snippets)
        return
    yield _more([part], layer, norms, own, snippets)


def _none(kernels: Sequence[Matrix]) -> Skipped:
    if any(matrix.decay is None for matrix in kernels):
        return Skipped(reason="the file does not tell of weight decay: give --context FILE.toml")
    return Skipped(reason="neither kernel is decayed")


def _told(matrix: Matrix) -> str:
    course = matrix.course
    peak = f", {course.since_peak - 1:+.1%} since its highest" if course.last < course.peak else ""
    return f"the {matrix.name} went from {course.text}{peak}"


# ---------------------------------------------------------------- advice


def _leave(still: Sequence[Matrix], settings: Settings) -> Advice:
    decay = max(matrix.decay or 0 for matrix in still)
    text = f"leave it if validation loss does not rise{_alone(decay, settings)}"
    return step(text, "A: introspection")


def _more(
    names: Sequence[str],
    layer: LayerReport,
    norms: WeightNorms,
    own: LayerSettings,
    snippets: Snippets,
) -> Advice:
    """More decay on the named matrices; where that would leave its range, a bound."""
    decoupled = own.penalty is not None and not own.penalty.value
    top = _DECOUPLED_TOP if decoupled else decays.HIGHEST
    raising = [_NAMES[name] for name in names]
    fit = decays.next_decay(own, norms, raising=raising, top=top)
    if fit is None:
        return bound_instead(layer, norms, snippets, lead="else ", top=top)
    return step(
        f"else {'more ' if fit.raised else ''}weight decay: {fit.values} ({fit.reason})",
        "A: weight norm tracking",
        snippets.decay(fit.kernel, fit.recurrent, fit.bias),
    )


def _alone(decay: float, settings: Settings) -> str:
    """What decoupled decay takes off by itself over the training, where all of that is known."""
    way, rate, steps = settings.decoupled, settings.learning_rate, settings.steps
    if not (way and way.value and rate and steps):
        return ""
    share = -math.expm1(-rate.value * decay * steps.value)
    return (
        f"; by itself the decay takes {percent(share)} off in {steps.value} updates at a "
        f"learning rate of {rate.value:g}"
    )
