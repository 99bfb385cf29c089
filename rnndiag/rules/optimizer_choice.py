"""The optimizer is none of the recommended ones, or its steps are of an odd size.

What it means
    The file (or --context) tells which optimizer trained the network, and it is not Nadam, NadamW
    or AdamW. Or the file holds the optimizer's state, and the last step that it tells of changed
    the kernel or the recurrent kernel of a layer by more than a tenth, or less than a
    hundred-thousandth, of its size. About a thousandth is usual.

Why it matters
    Which optimizer finds the weights decides which weights are found: it regularizes, in a way
    that nobody has fully explained. With recurrent networks Nadam, Adam with Nesterov's
    look-ahead, did better than all others in the experience that document A tells of. That is one
    person's experience, and trying it takes one line.

    Steps of a tenth leave little of what was learned before; steps that small learn nothing, unless
    a schedule has come to its end in them.

What to do
    1. Steps that are too large: a tenth of the learning rate. Too small: ten times of it, if no
    schedule has brought it down on purpose.
    2. Try Nadam, at the same learning rate if it was Adam.
    3. With weight decay take AdamW: its decay stays out of the scaled gradient.

    Compare at the best learning rate of each: another optimizer has another one.

ELI5
    Two hikers look for the lowest place in the fog. One looks at the slope under his feet. The
    other takes his next step in his mind first, and looks at the slope there. He turns sooner
    where it goes up again, and often ends up in another valley.

Sources
    - A: what to do 13
    - A: bonus
    - A: learning 2
    - B: tuning: unstable
    - Dozat 2016, Incorporating Nesterov momentum into Adam
    - Loshchilov & Hutter 2019, Decoupled weight decay regularization
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from rnndiag import decays
from rnndiag.records import Advice, Measured, Report, Settings, Skipped
from rnndiag.rules.base import Cut, Fired, Rule, Thresholds, short, step, worse
from rnndiag.snippets.base import Snippets

RULE = Rule(code="RNN412", severity="note", rests_on="facts")
_RECOMMENDED = ("Nadam", "NadamW", "AdamW")
_SAME_SCALE = (*_RECOMMENDED, "Adam", "Adamax", "RAdam", "RMSprop")
"""Optimizers for which the same learning rates are usual."""
_USUAL_RATE = 1e-3
_MATRICES = {"kernel": "kernel", "recurrent": "recurrent kernel"}
"""What `TrainingStep` calls a matrix → what people do. Biases are left out: they start at 0, or
large for long memories, so that for their size any learning rate takes odd steps."""
_USUAL = "own cut: about 1e-3 is usual, two decades to either side"


class Cuts(Thresholds):
    """Which sizes of a training step are usual."""

    smallest_step = Cut(1e-5, "rms(update) / rms(weight)", _USUAL)
    largest_step = Cut(1e-1, "rms(update) / rms(weight)", _USUAL)


@dataclass(frozen=True, kw_only=True)
class _Odd:
    """A training step that is too large, or too small."""

    place: str
    ratio: float
    cut: float

    @property
    def large(self) -> bool:
        """Whether it is too large."""
        return self.ratio > self.cut

    @property
    def decades(self) -> float:
        """How far it is beyond its cut."""
        return abs(math.log10(self.ratio / self.cut))

    @property
    def text(self) -> str:
        """What was changed, how much, and the cut."""
        bound = "more" if self.large else "less"
        return (
            f"the last step changed the {self.place} by {self.ratio:.3g} of its size, {bound} "
            f"than {self.cut:g}"
        )

    @property
    def measured(self) -> Measured:
        """In powers of ten: from batch to batch, steps vary more than a baseline tolerates."""
        return (worse if self.large else short)("log10_training_step", math.log10(self.ratio))


def check(
    report: Report, settings: Settings, snippets: Snippets, cuts: Cuts
) -> Fired | Skipped | None:
    """Training steps of an odd size, or a known optimizer that is none of the recommended ones."""
    odd = max(_odd_steps(report, cuts), key=lambda one: one.decades, default=None)
    unknown = _not_told(settings)
    other = None if unknown or _is_recommended(settings) else settings.optimizer
    if odd is None and other is None:
        return unknown
    advice = [*(_other_rate(odd, settings, snippets) if odd else ())]
    texts = [odd.text] if odd else []
    if other is not None:
        texts.append(f"trained with {other.value}; Nadam or AdamW are worth a try")
        advice += _other_optimizer(settings, snippets)
    scheduled = odd is not None and not odd.large
    return Fired(
        message="; ".join(texts),
        confidence="medium" if scheduled else "high",
        doubt="a schedule may have brought the learning rate down" if scheduled else None,
        evidence=_evidence(settings, odd),
        measured=odd.measured if odd else None,
        advice=advice,
    )


def _not_told(settings: Settings) -> Skipped | None:
    """Why nothing can be said of the optimizer; None where something can."""
    known = settings.optimizer
    if known is None:
        return Skipped(reason="the optimizer is not known: give --context FILE.toml (optimizer)")
    choice = _choice(settings)
    if choice <= set(_RECOMMENDED) or choice.isdisjoint(_RECOMMENDED):
        return None
    return Skipped(
        reason=f"the file leaves open whether it is {known.value}: "
        "give --context FILE.toml (optimizer)"
    )


def _is_recommended(settings: Settings) -> bool:
    return _choice(settings) <= set(_RECOMMENDED)


def _choice(settings: Settings) -> set[str]:
    """A file may leave a choice: "Adam or AdamW"."""
    return set(settings.optimizer.value.split(" or ")) if settings.optimizer else set()


def _odd_steps(report: Report, cuts: Cuts) -> Iterator[_Odd]:
    """The last steps of all recurrent layers' matrices that lie outside the cuts."""
    for layer in report.layers:
        steps = layer.fact("training_step")
        for name, matrix in _MATRICES.items():
            own = getattr(steps, name, None)
            ratio = own.ratio if own is not None else None
            if not ratio or cuts.smallest_step <= ratio <= cuts.largest_step:
                # A step of exactly 0 is a frozen array, and no matter of the learning rate.
                continue
            cut = cuts.largest_step if ratio > cuts.largest_step else cuts.smallest_step
            place = f"{matrix} of {layer.id}/{layer.direction}"
            yield _Odd(place=place, ratio=ratio, cut=cut)


def _evidence(settings: Settings, odd: _Odd | None) -> dict[str, object]:
    known, rate = settings.optimizer, settings.learning_rate
    return {
        "optimizer": known.value if known else None,
        "source": known.source if known else None,
        **({"training_step": odd.ratio, "where": odd.place} if odd else {}),
        "learning_rate": rate.value if rate else None,
    }


# ---------------------------------------------------------------- advice


def _other_rate(odd: _Odd, settings: Settings, snippets: Snippets) -> Iterator[Advice]:
    """A decade lower or higher: finer steps would not tell much."""
    known = settings.learning_rate
    much = "a tenth of the learning rate" if odd.large else "ten times the learning rate"
    source = "B: tuning: unstable" if odd.large else "A: learning 2"
    if known is None or not known.value > 0:
        yield step(much, source)
        return
    rate = float(f"{known.value * (0.1 if odd.large else 10):.2g}")
    yield step(
        f"{much}: {decays.written(rate)} instead of {decays.written(known.value)}",
        source,
        snippets.learning_rate(rate),
    )


def _other_optimizer(settings: Settings, snippets: Snippets) -> Iterator[Advice]:
    rate = _rate(settings)
    decay = (settings.weight_decay.value if settings.weight_decay else 0.0) or decays.SMALLEST
    yield step(
        f"Nadam at a learning rate of {rate:g}",
        "A: what to do 13",
        snippets.optimizer("Nadam", rate, None),
    )
    yield step(
        f"or AdamW, with decoupled weight decay ({decays.written(decay)})",
        "A: bonus",
        snippets.optimizer("AdamW", rate, decay),
    )


def _rate(settings: Settings) -> float:
    """The same, unless it was for an optimizer that takes rates of another size."""
    rate = settings.learning_rate
    same = _choice(settings) <= set(_SAME_SCALE)
    return rate.value if rate and rate.value > 0 and same else _USUAL_RATE
