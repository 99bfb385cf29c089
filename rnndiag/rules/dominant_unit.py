"""One unit, or very few directions, carry nearly all of the state.

What it means
    Either a single unit has more than half of the state's energy, or the state moves in so few
    directions that a fraction of the units could hold it. A small task may not need more, so
    this is a note.

Why it matters
    What rests on one unit falls with it: one odd input, one odd weight. And the layers behind
    it see one feature where they were meant to see many. No unit should dominate, and few should
    lie without purpose.

What to do
    1. Recurrent dropout: units that may be missing at any step cannot be relied on alone.
    2. Weight decay: one large weight costs more than many small ones that do the same. From 1e-2
    on, rather a bound on the weights.
    3. If the state still moves in few directions and the network does well, take fewer units.

ELI5
    In a tug of war only the biggest child pulls, and the others just hold the rope. Send the big
    one for a drink now and then, and the others learn to pull.

Sources
    - A: learning 4
    - A: recurrent dropout
    - A: what to do 3
    - A: weight decay 1
    - A: weight constraints
    - A: depth vs. width
    - B: dropout
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rnndiag.records import Advice, LayerReport, LayerSettings, Measured
from rnndiag.rules._advice import percent
from rnndiag.rules._decay_advice import more_decay
from rnndiag.rules._last_resort import above
from rnndiag.rules.base import Cut, Fired, Rule, Thresholds, short, step, worse
from rnndiag.snippets.base import Snippets

if TYPE_CHECKING:
    from rnndiag.measurements.state_dimension import StateDimension
    from rnndiag.measurements.weight_norms import WeightNorms

RULE = Rule(code="RNN204", severity="note", rests_on="activity")


class Cuts(Thresholds):
    """How few is too few."""

    share = Cut(0.5, "of the state's energy", "own cut: half of all in one unit")
    times_fair = Cut(5, "fair shares", "own cut: half is no wonder where there are few units")
    directions = Cut(0.05, "of the units", "own cut: .02-.38 in good published models")


def check(
    layer: LayerReport,
    dimension: StateDimension,
    norms: WeightNorms | None,
    settings: LayerSettings,
    snippets: Snippets,
    cuts: Cuts,
) -> Fired | None:
    """One unit's share of the energy above its cut, or the effective directions below theirs."""
    units = layer.hidden_size or 0
    signs = [*_dominated(dimension, units, cuts), *_narrow(dimension, units, cuts)]
    if not signs:
        return None
    return Fired(
        message="; ".join(text for text, _ in signs),
        evidence={
            "top_unit": dimension.top_unit,
            "top_unit_share": dimension.top_unit_share,
            "participation_ratio": dimension.participation_ratio,
            "participation_share": dimension.participation_share,
        },
        measured=signs[0][1],
        advice=tuple(_advice(layer, dimension, norms, settings, snippets, cuts)),
    )


def _dominated(dimension: StateDimension, units: int, cuts: Cuts) -> Iterator[tuple[str, Measured]]:
    share = dimension.top_unit_share
    if share > cuts.share and share * units > cuts.times_fair:
        text = (
            f"unit {dimension.top_unit} has {percent(share)} of the state's energy, more than "
            f"{percent(cuts.share)}"
        )
        yield text, worse("top_unit_share", share)


def _narrow(dimension: StateDimension, units: int, cuts: Cuts) -> Iterator[tuple[str, Measured]]:
    share, ratio = dimension.participation_share, dimension.participation_ratio
    if share is not None and ratio is not None and share < cuts.directions:
        text = (
            f"the state moves in about {ratio:.1f} directions, {percent(share)} of {units} "
            f"units and fewer than {percent(cuts.directions)}"
        )
        yield text, short("participation_share", share)


# ---------------------------------------------------------------- advice


def _advice(
    layer: LayerReport,
    dimension: StateDimension,
    norms: WeightNorms | None,
    settings: LayerSettings,
    snippets: Snippets,
    cuts: Cuts,
) -> Iterator[Advice]:
    units = layer.hidden_size or 0
    known = settings.recurrent_dropout.value if settings.recurrent_dropout else 0.0
    rate = above(known)
    if rate is not None:
        now = f" (now {known:g})" if known else ""
        text = f"recurrent dropout of {rate:g}{now}; keep it if validation improves"
        yield step(text, "A: what to do 3", snippets.recurrent_dropout(rate))
    if norms is not None:
        yield more_decay(layer, norms, settings, snippets)
    if any(_narrow(dimension, units, cuts)):
        text = f"if it does well as it is, half the units: {units // 2}"
        yield step(text, "A: depth vs. width", snippets.units(units // 2))
