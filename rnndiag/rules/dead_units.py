"""Units that say nothing, whatever comes in.

What it means
    Over the whole probe these units gave 0 nearly always (relu), or the same next to nothing at
    every step. Taking them away would change little or nothing.

Why it matters
    They cost memory and time like any other, and carry no information. A unit with relu that is
    off for every input gets no gradient and stays off. Many of them are a sign that training
    started badly or took steps that were too large.

What to do
    1. With relu: an activation that is never quite off, leaky relu or tanh.
    2. A gentler start: orthogonal recurrent weights, Glorot's input weights.
    3. A lower learning rate: one large step can switch a unit off for good.
    4. Fewer units. Each is there to find a feature of its own; where as many do well without
    one, the task has no use for that many.

ELI5
    Thirty children stand in the choir and twelve never open their mouths. Nobody hears that
    they are missing. Perhaps the song starts too high for them, then start lower. Perhaps they
    were shouted at once and have been silent ever since, then be gentler. Or the song simply
    needs eighteen.

Sources
    - A: learning 4
    - A: depth vs. width
    - B: tuning: unstable
    - Sokar et al. 2023, The dormant neuron phenomenon in deep reinforcement learning
    - Le, Jaitly & Hinton 2015, A simple way to initialize recurrent networks of rectified linear
      units
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rnndiag.records import Advice, LayerReport, Settings
from rnndiag.rules._advice import activation_of, lower_rate, percent, starts_orthogonal
from rnndiag.rules.base import Cut, Fired, Rule, Thresholds, by_cuts, step, worse
from rnndiag.snippets.base import Snippets

if TYPE_CHECKING:
    from rnndiag.measurements.unit_activity import UnitActivity

RULE = Rule(code="RNN201", severity="warning", rests_on="activity")
_OWN = "own cut: 100 layer-directions of 35 good published models, broken variants of small ones"
_RELU = re.compile(r"(?<![a-z_])relu")
"""No ``leaky_relu`` and no ``prelu``: those are never quite off."""
_MULTIPLE = 8
"""Layers have a round number of units, which hardware likes too."""


class Cuts(Thresholds):
    """How many dead units are too many."""

    warning = Cut(0.10, "of the units", _OWN, least=0)
    error = Cut(0.35, "of the units", _OWN, least=0)
    steps = Cut(100, "steps", "own cut: 99 % of fewer steps is all of them")


def check(
    layer: LayerReport,
    activity: UnitActivity,
    settings: Settings,
    snippets: Snippets,
    cuts: Cuts,
) -> Fired | None:
    """The share of dead units above its cut."""
    severity = by_cuts(activity.dead_share, cuts.warning, cuts.error)
    if severity is None:
        return None
    units, dead = layer.hidden_size or 0, len(activity.dead_units)
    cut = cuts.error if severity == "error" else cuts.warning
    few = activity.steps < cuts.steps
    return Fired(
        message=(
            f"{dead} of {units} units are dead, {percent(activity.dead_share)} and more than "
            f"{percent(cut)}"
        ),
        severity=severity,
        confidence="medium" if few else "high",
        doubt=f"the probe has no more than {activity.steps} steps" if few else None,
        evidence={
            "dead_share": activity.dead_share,
            "dead_units": list(activity.dead_units),
            "constant_units": list(activity.constant_units),
            "steps": activity.steps,
        },
        measured=worse("dead_share", activity.dead_share),
        advice=tuple(_advice(layer, units, dead, settings, snippets)),
    )


def _advice(
    layer: LayerReport, units: int, dead: int, settings: Settings, snippets: Snippets
) -> Iterator[Advice]:
    if _RELU.search(activation_of(layer)):
        yield step(
            "an activation that is never quite off: leaky relu, or tanh",
            "A: learning 4",
            snippets.activation("tanh"),
        )
    if not starts_orthogonal(layer):
        yield step(
            "start with orthogonal recurrent and Glorot-uniform input weights",
            "A: learning 4",
            snippets.orthogonal(),
        )
    yield lower_rate(settings, snippets)
    living = units - dead
    if living:
        fewer = _round(living, units)
        yield step(
            f"{fewer} units instead of {units}: {living} are at work",
            "A: depth vs. width",
            snippets.units(fewer),
        )


def _round(living: int, units: int) -> int:
    """Up to a round number, unless that is as many as there are."""
    rounded = math.ceil(living / _MULTIPLE) * _MULTIPLE
    return rounded if rounded < units else living
