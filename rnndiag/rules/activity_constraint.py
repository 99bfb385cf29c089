"""The layer's outputs are held down by force.

What it means
    An activity regularizer or constraint adds a penalty to the loss for what the layer puts out,
    whatever its weights are. The layer has one itself, or a layer made for it follows.

Why it matters
    A layer that learns well keeps its outputs in a sensible range by itself. Where they have to
    be pushed there, most often something else is wrong: inputs on an odd scale, weights or biases
    that grow, a learning rate that is too high. The penalty hides that, and is in the way of
    outputs that the task needs to be large.

What to do
    1. Take it out and train again.
    2. See what this report says of extreme activations, of biases and of input scale (RNN202,
    RNN302 and RNN503): there the cause can be treated.
    3. Decay weights, each matrix by a value of its own, if outputs still get too large; from 1e-2
    on, rather bound them.

ELI5
    A child shouts all day, and you put a scarf over its mouth. It is quiet now, but you never
    found out what it wanted. Maybe it was only hungry. Take the scarf away and ask.

Sources
    - A: activity constraints
    - A: what to do 7
    - A: weight decay 1
    - A: weight constraints
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rnndiag.records import Advice, LayerReport, LayerSettings, Report, Skipped, Surrounding
from rnndiag.rules._decay_advice import more_decay
from rnndiag.rules._surroundings import behind
from rnndiag.rules.base import Fired, Rule, step
from rnndiag.snippets.base import Snippets

if TYPE_CHECKING:
    from rnndiag.measurements.weight_norms import WeightNorms

RULE = Rule(code="RNN408", severity="warning", rests_on="facts")
_BY_ORDER = "that this layer feeds it is told by the order of the calls alone"
_UNKNOWN = "the file does not tell of constraints on outputs: give --context FILE.toml (activity)"


def check(
    layer: LayerReport,
    report: Report,
    own: LayerSettings,
    norms: WeightNorms | None,
    snippets: Snippets,
) -> Fired | Skipped | None:
    """An activity regularizer of the layer's own, or a layer behind it that is one."""
    follower = _follower(layer, report)
    activity = own.activity.value if own.activity else ""
    if not activity and not follower:
        return None if own.activity else Skipped(reason=_UNKNOWN)
    culprit = activity or (follower.name if follower else "")
    return Fired(
        message=f"outputs are constrained ({culprit}), which none should need",
        confidence="high" if activity else "medium",
        doubt=None if activity else _BY_ORDER,
        evidence={
            "activity": activity or None,
            "layer_behind": follower.name if follower else None,
            "source": own.activity.source if own.activity else None,
        },
        advice=(
            *_taken_out(activity, follower, snippets),
            *_advice(layer, norms, own, snippets),
        ),
    )


def _follower(layer: LayerReport, report: Report) -> Surrounding | None:
    """The layer called next, if all that it does is to penalize outputs."""
    around = behind(layer, report)[:1]
    penalizing = [
        own
        for own in around
        if own.kind == "ActivityRegularization"
        and any(own.arguments.get(key) for key in ("l1", "l2"))
    ]
    return penalizing[0] if penalizing else None


def _taken_out(activity: str, follower: Surrounding | None, snippets: Snippets) -> Iterator[Advice]:
    source = "A: what to do 7"
    if activity:
        yield step(
            "take the activity regularizer out of the layer, and train again",
            source,
            snippets.without_activity_regularizer(),
        )
    if follower:
        yield step(f"take the layer {follower.name} out, and train again", source)


def _advice(
    layer: LayerReport, norms: WeightNorms | None, own: LayerSettings, snippets: Snippets
) -> Iterator[Advice]:
    """What treats the cause."""
    yield step(
        "look for what makes its outputs too large: rules RNN202, RNN302 and RNN503",
        "A: activity constraints",
    )
    if norms is not None:
        yield more_decay(layer, norms, own, snippets, lead="in its place, ")
