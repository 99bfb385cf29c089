"""Input features are on unlike scales, or far from unit scale.

What it means
    In the probe, some features are on a scale a hundred times that of others, or they lie far
    from the range around 0 and 1 that initial weights are made for. Features that never change
    and those that are only 0 or 1 are left out. Needs a real probe (--probe).

Why it matters
    Weights start at the same size for every feature. A feature with large numbers drowns the
    others, and drives gates and units to the ends of their range; one with small numbers is
    hardly heard. Training first has to make up for that, with weights that grow or vanish.

What to do
    1. Scale each feature by itself to mean 0 and variance 1, with means and deviations of the
    training set alone, and keep them with the model.
    2. Layer normalization around recurrent layers keeps what happens inside on one scale; it
    does not give back a feature that was drowned at the input.

ELI5
    Two friends tell you about their day at the same time. One whispers and the other has a
    megaphone. You will only know about one of the days. Ask both to talk equally loudly, and you
    can decide yourself whose day matters.

Sources
    - B: normalization
    - LeCun, Bottou, Orr & Müller 1998, Efficient BackProp
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rnndiag.records import InputScale, Measured, ProbeReport, Report, Skipped
from rnndiag.rules.base import Cut, Fired, Rule, Thresholds, short, step, worse
from rnndiag.snippets.base import Snippets

RULE = Rule(code="RNN503", severity="warning", rests_on="facts")
_SCALING = {"Normalization", "Rescaling", "BatchNormalization", "LayerNormalization"}
_ROUNDING = 1e-6
"""Relative size of a deviation that single precision alone can make."""
_RARE = 0.1
"""Normal numbers reach about four deviations: what reaches more than ten is rarely there."""


class Cuts(Thresholds):
    """How unlike, and how far from unit scale."""

    ratio = Cut(100, "largest to smallest scale", "own cut: two decades")
    largest = Cut(100, "|x|", "own cut: two decades above unit scale")
    smallest = Cut(0.01, "largest scale", "own cut: two decades below unit scale")
    offset = Cut(10, "deviations from 0 to the mean", "own cut")


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One feature that varies and is no flag."""

    place: str
    mean: float
    deviation: float
    largest: float

    @property
    def scale(self) -> float:
        """Its deviation; where it is rarely there, as counts are, a tenth of what it reaches."""
        return max(self.deviation, _RARE * self.largest)

    @property
    def offset(self) -> float:
        """Deviations from 0 to the mean; a mean of size 1 or less is no more than a bias."""
        return abs(self.mean) / self.deviation if abs(self.mean) > 1 else 0.0


def check(
    report: Report, probe: ProbeReport, snippets: Snippets, cuts: Cuts
) -> Fired | Skipped | None:
    """The scale of what comes in, unless the network scales it itself."""
    if probe.source != "file":
        return Skipped(reason="made-up inputs have the scale that they are given: --probe FILE")
    if not probe.inputs:
        return Skipped(reason="the inputs are token ids, which have no scale")
    signs = [] if _scales_itself(report) else list(_signs(probe.inputs, cuts))
    if not signs:
        return None
    return Fired(
        message=signs[0][0],
        confidence="medium",
        doubt="a probe may miss the rare cases in which a feature is large",
        evidence={
            "signs": [text for text, _ in signs],
            "deviations": [list(own.deviations) for own in probe.inputs],
            "means": [list(own.means) for own in probe.inputs],
            "largest": [list(own.largest) for own in probe.inputs],
        },
        measured=signs[0][1],
        advice=(
            step(
                "scale each feature to mean 0 and variance 1 by the training set's own",
                "B: normalization",
                snippets.scaled_inputs(),
            ),
            step(
                "layer normalization around the recurrent layers; keep it if validation improves",
                "B: normalization",
                snippets.layer_normalization(),
            ),
        ),
    )


def _scales_itself(report: Report) -> bool:
    """Whether a layer ahead of the first recurrent one takes care of the scale."""
    recurrent = {name for own in report.layers for name in (own.name, own.id)}
    for own in report.network:
        if own.name in recurrent:
            return False
        if own.kind in _SCALING:
            return True
    return False


def _signs(inputs: Sequence[InputScale], cuts: Cuts) -> Iterator[tuple[str, Measured]]:
    """What is wrong, the most telling first."""
    features = [feature for number, own in enumerate(inputs) for feature in _varying(own, number)]
    if not features:
        return
    least = min(features, key=lambda own: own.scale)
    most = max(features, key=lambda own: own.scale)
    ratio = most.scale / least.scale
    if ratio > cuts.ratio:
        yield (
            (
                f"the scale of {most.place} is {_round(ratio)} times that of {least.place}, "
                f"more than {cuts.ratio:g} times"
            ),
            worse("ratio", ratio),
        )
    reach = max(own.largest for own in features)
    if reach > cuts.largest:
        yield f"inputs reach {_round(reach)}, beyond {cuts.largest:g}", worse("largest", reach)
    far = [own.offset for own in features if own.offset > cuts.offset]
    if far:
        yield (
            (
                f"{len(far)} of {len(features)} features lie more than {cuts.offset:g} deviations "
                "away from 0"
            ),
            worse("offset", max(far)),
        )
    if most.scale < cuts.smallest:
        text = f"no feature has a scale above {most.scale:.2g}, all are below {cuts.smallest:g}"
        yield text, short("scale", most.scale)


def _round(value: float) -> str:
    """Three digits, without an exponent up to a million."""
    return f"{float(f'{value:.3g}'):,g}"


def _varying(scale: InputScale, number: int) -> Iterator[Feature]:
    """The features of one input that tell of its scale."""
    columns = zip(scale.means, scale.deviations, scale.largest, strict=True)
    for index, (mean, deviation, largest) in enumerate(columns):
        if not _is_constant(mean, deviation) and not _is_flag(mean, deviation):
            yield Feature(
                place=f"feature {index} of input {number}",
                mean=mean,
                deviation=deviation,
                largest=largest,
            )


def _is_constant(mean: float, deviation: float) -> bool:
    return deviation <= _ROUNDING * abs(mean)


def _is_flag(mean: float, deviation: float) -> bool:
    """Only 0 and 1, as in one-hot symbols: then, and hardly ever else, σ² = μ·(1 - μ)."""
    return math.isclose(deviation**2, mean * (1 - mean), rel_tol=_ROUNDING)
