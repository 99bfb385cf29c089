"""Training loss leaps up, or is not finite.

What it means
    A training loss is more than twice the median of the evaluations before it, and by more than
    small losses waver anyway. Or it is NaN or infinite: an error where the last losses are, or
    more than a few.

Why it matters
    A leap means that one update threw away what many had learned: a gradient was too large for
    the learning rate. A loss that is not finite leaves weights that are none, and nothing after
    it can be used.

What to do
    1. After NaN, go back to a checkpoint from before it; training on from there needs one of the
    other changes.
    2. More normalization: layer normalization around the recurrent layers.
    3. A lower learning rate.
    4. Gradient clipping: see that it is there, and that it acts before the optimizer's step.

ELI5
    You walk down a hill in fog, in giant's boots. One step too far and you land on the next
    hill, higher than before. Take smaller steps, or tie the boots together so that no step can
    be that long.

Sources
    - B: tuning: unstable
    - B: normalization
    - Pascanu, Mikolov & Bengio 2013, On the difficulty of training recurrent neural networks
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rnndiag.records import Advice, History, Settings, Skipped
from rnndiag.rules._advice import clip, lower_rate
from rnndiag.rules.base import Cut, Fired, Rule, Thresholds, step, worse
from rnndiag.snippets.base import Snippets

RULE = Rule(code="RNN603", severity="warning", rests_on="facts")
_SOURCE = "B: tuning: unstable"
_FEWEST = 3
"""Evaluations that have a median worth the name."""


class Cuts(Thresholds):
    """What counts as a leap."""

    ratio = Cut(2, "running medians", "own cut")
    share = Cut(0.1, "of the first loss", "own cut: losses near 0 waver by more than twice")
    few = Cut(3, "losses", "own cut: more that are not finite, or the last, are an error", least=0)
    window = Cut(5, "evaluations", "own cut: the median is that of so many before")


@dataclass(frozen=True, kw_only=True)
class Spike:
    """One training loss far above those before it."""

    epoch: float
    loss: float
    median: float

    @property
    def height(self) -> float:
        """How far it leaps."""
        return self.loss - self.median


def check(
    history: History, settings: Settings, snippets: Snippets, cuts: Cuts
) -> Fired | Skipped | None:
    """Losses that are not finite, or leap above their running median."""
    if not history.train:
        return Skipped(reason=f"{history.source} has no training loss: name it, --train-column")
    if history.not_finite:
        return _diverged(history, settings, snippets, cuts)
    pairs = zip(history.epochs, history.train, strict=True)
    spikes = list(_spikes([(at, loss) for at, loss in pairs if loss is not None], cuts))
    if not spikes:
        return None
    worst = max(spikes, key=lambda spike: spike.height)
    several = "" if len(spikes) == 1 else f"; {len(spikes)} such leaps"
    return Fired(
        message=(
            f"training loss leaps by {worst.height:.3g} to {worst.loss:.3g} at {history.axis} "
            f"{worst.epoch:g}, from a median of {worst.median:.3g}{several}"
        ),
        confidence="medium" if len(spikes) == 1 else "high",
        doubt="a single leap may have been one odd batch" if len(spikes) == 1 else None,
        evidence={"spikes": [[spike.epoch, spike.loss, spike.median] for spike in spikes]},
        measured=worse("leap", worst.height),
        advice=tuple(_advice(settings, snippets)),
    )


def _diverged(history: History, settings: Settings, snippets: Snippets, cuts: Cuts) -> Fired:
    """Weights that are none cannot come back: an error, but where training went on soundly."""
    first, count = history.not_finite[0], len(history.not_finite)
    sound = [at for at, loss in zip(history.epochs, history.train, strict=True) if loss is not None]
    recovered = max(sound, default=-math.inf) > max(history.not_finite)
    grave = count > cuts.few or not recovered
    back = step(f"go back to a checkpoint from before {history.axis} {first:g}", _SOURCE)
    return Fired(
        message=(
            f"{count} of {len(history.train)} training losses are NaN or infinite, the first at "
            f"{history.axis} {first:g}" + ("" if recovered else ", and the last of all as well")
        ),
        severity="error" if grave else "warning",
        evidence={"not_finite": list(history.not_finite)},
        measured=worse("not_finite", count),
        advice=(back, *_advice(settings, snippets)),
    )


def _spikes(points: Sequence[tuple[float, float]], cuts: Cuts) -> Iterator[Spike]:
    for index in range(_FEWEST, len(points)):
        at, loss = points[index]
        before = [own for _, own in points[max(0, index - int(cuts.window)) : index]]
        median = _median(before)
        # Written with sizes, so that likelihoods below 0 are judged alike.
        least = max((cuts.ratio - 1) * abs(median), cuts.share * abs(points[0][1]))
        if loss - median > least:
            yield Spike(epoch=at, loss=loss, median=median)


def _median(values: Sequence[float]) -> float:
    ordered, middle = sorted(values), len(values) // 2
    return (ordered[middle] + ordered[~middle]) / 2


def _advice(settings: Settings, snippets: Snippets) -> Iterator[Advice]:
    yield step(
        "layer normalization around the recurrent layers", _SOURCE, snippets.layer_normalization()
    )
    yield lower_rate(settings, snippets)
    yield clip(settings, snippets)
