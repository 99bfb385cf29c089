"""Steps are large, or gradients grow, and nothing bounds the weights.

What it means
    The learning rate is high for its optimizer, or the gradient grows on its way back through
    the layer; and it is known that weights have no constraint, or gradients are not clipped.

Why it matters
    A high learning rate has its use: it can carry training out of a region of the loss that would
    hold it otherwise. But one step in a bad direction is then a large one. In a recurrent layer,
    weights that got too large multiply at every timestep, and gradients explode. A hard upper
    bound on the weights' norm makes that impossible, whatever a single step does.

What to do
    1. Bound the norm of each column of kernel and recurrent kernel.
    2. With a lower learning rate take more weight decay instead: it pulls where the bound stops.
    3. Clip gradients, which bounds the step and not where many steps lead.

ELI5
    You may run fast on a wide field. On a roof you may, too, if there is a fence around it. The
    faster you run, the more you need the fence. Walking slowly, you can do with being careful.

Sources
    - A: what to do 6
    - A: weight constraints
    - A: learning 2
    - B: tuning: unstable
    - Srivastava et al. 2014, Dropout: a simple way to prevent neural networks from overfitting
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rnndiag import decays
from rnndiag.records import (
    Advice,
    LayerReport,
    LayerSettings,
    Measured,
    Setting,
    Settings,
    Skipped,
)
from rnndiag.rules._advice import clip
from rnndiag.rules._cuts import ADAPTIVE_RATE, PLAIN_RATE, highest_rate
from rnndiag.rules._decay_advice import columns, halved, two_digits
from rnndiag.rules.base import Cut, Fired, Rule, Thresholds, step, worse
from rnndiag.snippets.base import Snippets

if TYPE_CHECKING:
    from rnndiag.measurements.gradient_span import GradientSpan
    from rnndiag.measurements.weight_norms import WeightNorms

RULE = Rule(code="RNN411", severity="note", rests_on="memory")
_NO_RATE = "the learning rate is not known: give --context FILE.toml (learning_rate)"
_UNKNOWN = (
    "the file tells neither of constraints nor of clipping: "
    "give --context FILE.toml (clipping, recurrent_constraint)"
)


class Cuts(Thresholds):
    """From where on a bound is advised."""

    adaptive_rate = ADAPTIVE_RATE
    plain_rate = PLAIN_RATE
    growth = Cut(10, "times", "own cut: growth is 1 in good published models, as RNN102")


def check(
    layer: LayerReport,
    settings: Settings,
    own: LayerSettings,
    span: GradientSpan | None,
    norms: WeightNorms,
    snippets: Snippets,
    cuts: Cuts,
) -> Fired | Skipped | None:
    """A high learning rate or a growing gradient, with no constraint and no clipping."""
    growth = span.growth if span and span.growth > cuts.growth else None
    rate = settings.learning_rate
    cut = highest_rate(settings, cuts.adaptive_rate, cuts.plain_rate)
    high = rate.value if rate and rate.value > cut else None
    if growth is None and high is None:
        return None if rate else Skipped(reason=_NO_RATE)
    bounds = (settings.clipping, own.kernel_constraint, own.recurrent_constraint)
    known = [bound for bound in bounds if bound is not None]
    if not known:
        return Skipped(reason=_UNKNOWN)
    if any(bound.value for bound in known):
        return None
    return Fired(
        message=f"{_reason(growth, high, cut, cuts)}, and {_missing(own, settings)}",
        severity="note" if growth is None else "warning",
        # Of a learning rate, made-up input spoils nothing.
        rests_on="facts" if growth is None else None,
        confidence="high" if len(known) == len(bounds) else "medium",
        doubt=_unknown(own, settings),
        evidence=_evidence(settings, span, known[0].source),
        measured=_measured(growth, high),
        advice=tuple(_advice(layer, norms, growth, settings, own, snippets)),
    )


def _evidence(settings: Settings, span: GradientSpan | None, source: str) -> dict[str, object]:
    return {
        "learning_rate": settings.learning_rate.value if settings.learning_rate else None,
        "optimizer": settings.optimizer.value if settings.optimizer else None,
        "growth": span.growth if span else None,
        "source": source,
    }


def _measured(growth: float | None, high: float | None) -> Measured:
    """What the message is about; growth in powers of ten, as RNN102 has it."""
    if growth is not None:
        return worse("log10_growth", math.log10(growth))
    return worse("learning_rate", high or 0.0)


def _unknown(own: LayerSettings, settings: Settings) -> str | None:
    """What may bound something after all."""
    bounds = {
        "clipping": settings.clipping,
        "a constraint on the kernel": own.kernel_constraint,
        "a constraint on the recurrent kernel": own.recurrent_constraint,
    }
    missing = [name for name, bound in bounds.items() if bound is None]
    return f"nothing is known of {' or '.join(missing)}" if missing else None


def _reason(growth: float | None, high: float | None, cut: float, cuts: Cuts) -> str:
    if growth is not None:
        return f"the gradient grows {growth:.3g} times, more than {cuts.growth:g}"
    return f"the learning rate of {high:g} is above {cut:g}"


def _missing(own: LayerSettings, settings: Settings) -> str:
    """What is known not to be there."""
    constraints: tuple[Setting[Any] | None, ...] = (own.kernel_constraint, own.recurrent_constraint)
    names = [
        *(["weights"] if any(constraints) else []),
        *(["gradients"] if settings.clipping else []),
    ]
    return f"nothing bounds {' or '.join(names)}"


def _advice(
    layer: LayerReport,
    norms: WeightNorms,
    growth: float | None,
    settings: Settings,
    own: LayerSettings,
    snippets: Snippets,
) -> Iterator[Advice]:
    source = "A: what to do 6"
    if growth is not None:
        yield halved(layer, norms, snippets, source=source, growing=True)
    else:
        yield _as_they_are(layer, norms, source, snippets)
    fit = decays.next_decay(own, norms, start=decays.LARGEST)
    if fit is not None:
        yield step(
            f"or with a lower learning rate, {'more ' if fit.raised else ''}weight decay: "
            f"{fit.values} ({fit.reason})",
            source,
            snippets.decay(fit.kernel, fit.recurrent, fit.bias),
        )
    yield clip(settings, snippets)


def _as_they_are(layer: LayerReport, norms: WeightNorms, source: str, snippets: Snippets) -> Advice:
    """A bound as large as columns are now, so that a high learning rate makes none larger."""
    kernel, recurrent = columns(layer, norms)
    bound = two_digits(max(kernel, recurrent))
    return step(
        f"keep the norm of each column of kernel and recurrent kernel below {bound:g} (they have "
        f"{kernel:.2g} and {recurrent:.2g} now)",
        source,
        snippets.constraint(bound),
    )
