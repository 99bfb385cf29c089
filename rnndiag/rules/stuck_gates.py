"""Gates that never leave one end of their range.

What it means
    A gate decides at every step how much passes. In these units it does not decide: it is shut,
    or open, at nearly every step of the probe. Of the gate that keeps the state (an LSTM's
    forget gate, a GRU's update gate) only a shut one counts: an open one is a long memory.

Why it matters
    A gate that does not move costs a third or a quarter of the layer's weights for nothing, and
    at the end of its range it gets next to no gradient: it will not come loose by itself. Some
    stuck units are normal, and chrono initialisation shuts input gates on purpose; most of a
    layer is not. In a layer of fewer than 16 units a single one is a large share, so there it is a
    note.

What to do
    1. A shut forget or update gate: start again with biases that keep the state.
    2. Decay the weights: what drives a gate to its end are large pre-activations. From 1e-2 on,
    rather bound them.
    3. Scale the inputs to mean 0 and variance 1. Of what other layers hand on, normalization takes
    care.
    4. Decay the biases too, no more than the kernels, or bound their norm: a large bias holds a
    gate without any help.
    5. Normalize around the layer, where the network does not normalize yet.

    From the second on, what makes up most of the sums before the activation comes first.

ELI5
    A door that is painted shut is a wall, and one that is nailed open is a hole. Neither looks
    at who wants to come in. You wanted doors, so take out the nails before you paint again.

Sources
    - A: weight decay 1
    - A: weight constraints
    - A: learning 4
    - A: what to do 9
    - B: normalization
    - Karpathy, Johnson & Fei-Fei 2015, Visualizing and understanding recurrent networks
    - Tallec & Ollivier 2018, Can recurrent neural networks warp time?
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rnndiag.records import Advice, LayerReport, LayerSettings, Report, Severity
from rnndiag.rules._advice import less_saturation, percent, start_with_memory
from rnndiag.rules._cuts import UNITS, few_units
from rnndiag.rules.base import Cut, Fired, Lag, Rule, Thresholds, by_cuts, worse
from rnndiag.snippets.base import Snippets

if TYPE_CHECKING:
    from rnndiag.measurements.gate_activity import Gate, GateActivity
    from rnndiag.measurements.preactivation_budget import PreactivationBudget
    from rnndiag.measurements.weight_norms import WeightNorms

RULE = Rule(code="RNN203", severity="warning", rests_on="activity")
_KEEPING = ("forget", "update")
_OWN = "own cut: 0-.07 in good published LSTMs, 0-.25 in GRUs"


class Cuts(Thresholds):
    """How many units with a stuck gate are too many."""

    warning = Cut(0.40, "of the units", _OWN, least=0)
    error = Cut(0.70, "of the units", _OWN, least=0)
    shut_warning = Cut(0.30, "of the units", _OWN, least=0)
    shut_error = Cut(0.60, "of the units", _OWN, least=0)
    units = UNITS


@dataclass(frozen=True, kw_only=True)
class _Stuck:
    """One gate that is over its cut."""

    name: str
    gate: Gate
    severity: Severity
    warning: float
    """The cut above which it is one."""
    cut: float
    """That of its severity."""

    @property
    def text(self) -> str:
        """Its share and cut."""
        how = "shut" if self.name in _KEEPING else "stuck"
        return (
            f"{self.name} {how} in {percent(self.gate.stuck_share)} of the units, more than "
            f"{percent(self.cut)}"
        )


def check(
    layer: LayerReport,
    report: Report,
    gates: GateActivity,
    budget: PreactivationBudget | None,
    norms: WeightNorms | None,
    own: LayerSettings,
    lag: Lag | None,
    snippets: Snippets,
    cuts: Cuts,
) -> Fired | None:
    """The share of units with a stuck gate above the cut of that gate."""
    stuck = [found for name in gates if (found := _judge(name, gates[name], cuts))]
    if not stuck:
        return None
    worst = max(stuck, key=lambda found: found.gate.stuck_share / found.warning)
    grave = any(found.severity == "error" for found in stuck)
    severity: Severity = "error" if grave else "warning"
    few = (layer.hidden_size or 0) < cuts.units
    return Fired(
        message=f"gates do not move: {'; '.join(found.text for found in stuck)}",
        severity="note" if few else severity,
        capped=few_units(layer, severity) if few else None,
        evidence={found.name: _shares(found.gate) for found in stuck},
        measured=worse(f"{worst.name}_stuck_share", worst.gate.stuck_share),
        advice=(
            *_start(layer, stuck, lag or report.probe.timesteps, snippets),
            *less_saturation(layer, report, norms, budget, own, snippets, biases=True),
        ),
    )


def _judge(name: str, gate: Gate, cuts: Cuts) -> _Stuck | None:
    keeps = name in _KEEPING
    warning, error = (cuts.shut_warning, cuts.shut_error) if keeps else (cuts.warning, cuts.error)
    severity = by_cuts(gate.stuck_share, warning, error)
    if severity is None:
        return None
    cut = error if severity == "error" else warning
    return _Stuck(name=name, gate=gate, severity=severity, warning=warning, cut=cut)


def _shares(gate: Gate) -> dict[str, float]:
    """By the side of the range, as a person would look for them."""
    return {
        "low": gate.left_stuck_share,
        "high": gate.right_stuck_share,
        "stuck": gate.stuck_share,
    }


def _start(
    layer: LayerReport, stuck: Sequence[_Stuck], lag: int, snippets: Snippets
) -> Iterator[Advice]:
    if any(own.name in _KEEPING for own in stuck):
        yield from start_with_memory(layer, lag, snippets)
