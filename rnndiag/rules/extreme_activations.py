"""The outputs sit at the ends of their range.

What it means
    A bounded activation has two flat ends. A large part of this layer's outputs lies on them,
    beyond 0.99 of the way.

Why it matters
    On the flat ends an output hardly changes with what goes in, so hardly any gradient comes
    back and the unit stops learning. It also says little: only yes or no, where it could say how
    much. Gates with clear decisions are normal; a state that is nearly all yes and no is not.
    In a layer of fewer than 16 units a single one is a large share, so there an error counts as a
    warning, and a warning as a note.

What to do
    1. Decay the weights, which brings units back to the steep, nearly linear part. From 1e-2 on,
    rather bound them.
    2. Scale the inputs to mean 0 and variance 1: large inputs push as hard as large weights. Of
    what other layers hand on, normalization takes care.
    3. Normalize around the layer, where the network does not normalize yet.

    What makes up most of the sums before the activation comes first.

ELI5
    On a seesaw with an elephant at one end nothing that you do at the other end matters. It is
    not broken, it just cannot move. Make the elephant lighter, and the seesaw plays again.

Sources
    - A: weight decay 1
    - A: weight constraints
    - A: learning 4
    - B: normalization
    - Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward neural
      networks
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rnndiag.records import LayerReport, LayerSettings, Report, Skipped
from rnndiag.rules._advice import less_saturation, percent
from rnndiag.rules._cuts import UNITS, few_units, lowered
from rnndiag.rules.base import Cut, Fired, Rule, Thresholds, by_cuts, worse
from rnndiag.snippets.base import Snippets

if TYPE_CHECKING:
    from rnndiag.measurements.preactivation_budget import PreactivationBudget
    from rnndiag.measurements.unit_activity import UnitActivity
    from rnndiag.measurements.weight_norms import WeightNorms

RULE = Rule(code="RNN202", severity="warning", rests_on="activity")
_LSTM = "own cut: 0-.03 in good published LSTMs"
_GRU = "own cut: 0-.19 in good published GRUs"
_PLAIN = "own cut: rests on tiny networks only, no published one was found"


class Cuts(Thresholds):
    """How much at the ends is too much, for each kind of cell."""

    lstm_warning = Cut(0.15, "of the activations", _LSTM)
    lstm_error = Cut(0.50, "of the activations", _LSTM)
    gru_warning = Cut(0.35, "of the activations", _GRU)
    gru_error = Cut(0.60, "of the activations", _GRU)
    plain_warning = Cut(0.40, "of the activations", _PLAIN)
    plain_error = Cut(0.70, "of the activations", _PLAIN)
    units = UNITS

    def of(self, kind: str) -> tuple[float, float]:
        """Warning and error for a kind of cell; what has no gates counts as plain."""
        if "LSTM" in kind:
            return self.lstm_warning, self.lstm_error
        if kind == "GRU":
            return self.gru_warning, self.gru_error
        return self.plain_warning, self.plain_error


def check(
    layer: LayerReport,
    report: Report,
    activity: UnitActivity,
    budget: PreactivationBudget | None,
    norms: WeightNorms | None,
    own: LayerSettings,
    snippets: Snippets,
    cuts: Cuts,
) -> Fired | Skipped | None:
    """The share of |h| > 0.99 above its cut."""
    share = activity.extreme_share
    if share is None:
        return Skipped(reason="the outputs have no bounds that they could sit at")
    warning, error = cuts.of(layer.kind)
    severity = by_cuts(share, warning, error)
    if severity is None:
        return None
    cut = error if severity == "error" else warning
    few = (layer.hidden_size or 0) < cuts.units
    return Fired(
        message=(
            f"{percent(share)} of the outputs are beyond 0.99 of their range, more than "
            f"{percent(cut)}"
        ),
        severity=lowered(severity) if few else severity,
        capped=few_units(layer, severity) if few else None,
        evidence={
            "extreme_share": share,
            "mean_abs": activity.mean_abs,
            "kernel_share": budget.kernel if budget else None,
            "recurrent_share": budget.recurrent if budget else None,
            "bias_share": budget.bias if budget else None,
        },
        measured=worse("extreme_share", share),
        advice=tuple(less_saturation(layer, report, norms, budget, own, snippets)),
    )
