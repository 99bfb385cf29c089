"""The biases drown out the input and the state.

What it means
    What a gate or unit adds up before its activation has three parts: from the input, from the
    state before, and its own bias, which never changes. Here the bias is most of the sum, or its
    entries are many times those of the kernel. An LSTM's forget and input gate and a GRU's update
    gate are left out, because chrono initialisation puts large biases there on purpose.

Why it matters
    A unit that listens to its bias does the same at every step, whatever comes in. It is pushed
    to an end of its range, where gradients stop; and biases that grow without a limit can make
    gradients explode.

What to do
    1. Decay the biases too, no more than kernel and recurrent kernel: where only those two are
    decayed, biases outgrow them.
    2. Or bound the norm of the bias vector.

ELI5
    You ask a friend what to play today. Before you have finished, they say "football", as they
    do every day. They are not bad at listening, they are just too fond of football. Make them a
    little less fond of it, and they will hear you.

Sources
    - A: what to do 9
    - Tallec & Ollivier 2018, Can recurrent neural networks warp time?
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rnndiag.records import LayerReport, LayerSettings, Measured
from rnndiag.rules._advice import percent
from rnndiag.rules._biases import smaller
from rnndiag.rules._cuts import UNITS
from rnndiag.rules.base import Cut, Fired, Rule, Thresholds, worse
from rnndiag.rules.dead_units import Cuts as DeadCuts
from rnndiag.rules.extreme_activations import Cuts as ExtremeCuts
from rnndiag.snippets.base import Snippets

if TYPE_CHECKING:
    from rnndiag.measurements.gate_activity import GateActivity
    from rnndiag.measurements.preactivation_budget import PreactivationBudget
    from rnndiag.measurements.unit_activity import UnitActivity
    from rnndiag.measurements.weight_norms import WeightNorms

RULE = Rule(code="RNN302", severity="warning", rests_on="activity")
_SHARE = "own cut: .01-.31 in good published LSTMs, .01-.13 in GRUs"
_SIZE = (
    "own cut: up to 3.05 in all published models but two (3.53 in a weak one, 5.38 in one of 5 "
    "units with a gate held open), 5 with every bias raised by 5"
)
_RATIO = "own cut: .19-2.3 in good published LSTMs, .33-1.4 in GRUs"


class Cuts(Thresholds):
    """How much of the sum biases may be; a share counts only together with a size.

    With one-hot inputs K and b can stand in for each other, so that a share says little alone.
    An error takes a sign of harm, too; dead and extreme units count by the default cuts of RNN201
    and RNN202, whatever thresholds were chosen for those.
    """

    share_warning = Cut(0.50, "of the pre-activations", _SHARE)
    share_error = Cut(0.55, "of the pre-activations", _SHARE)
    size_warning = Cut(2.5, "RMS(b), in pre-activation units", _SIZE)
    size_error = Cut(4.0, "RMS(b), in pre-activation units", _SIZE)
    ratio = Cut(12, "RMS(b) / RMS(K)", _RATIO)
    stuck = Cut(0.50, "of the units", "own cut: an error needs a sign of harm beside the share")
    units = UNITS


def check(
    layer: LayerReport,
    budget: PreactivationBudget,
    norms: WeightNorms,
    gates: GateActivity | None,
    activity: UnitActivity | None,
    own: LayerSettings,
    snippets: Snippets,
    cuts: Cuts,
) -> Fired | None:
    """The biases' share of the pre-activations, or RMS(b) / RMS(K), above its cut."""
    harm = _harm(layer, gates, activity, cuts)
    # The ratio makes no error: it would need one by the share, which is one already.
    grave = harm and _by_share(budget, cuts.share_error, cuts.size_error)
    found = (
        grave
        or _by_share(budget, cuts.share_warning, cuts.size_warning)
        or _by_ratio(budget, norms.bias_kernel_ratio, cuts)
    )
    if not found:
        return None
    message, measured = found
    return Fired(
        message=f"{message}; {harm}" if grave else message,
        severity="error" if grave else "warning",
        evidence={
            "bias_share": budget.bias,
            "rms_bias": budget.rms_bias,
            "bias_kernel_ratio": norms.bias_kernel_ratio,
            "gates": list(budget.gates),
            "harm": harm or None,
        },
        measured=measured,
        advice=tuple(smaller(norms, own, snippets)),
    )


def _by_share(
    budget: PreactivationBudget, share: float, size: float
) -> tuple[str, Measured] | None:
    if budget.bias <= share or budget.rms_bias <= size:
        return None
    message = (
        f"the biases are {percent(budget.bias)} of what gates and units add up, more than "
        f"{percent(share)}, at an RMS of {budget.rms_bias:.3g}, more than {size:g}"
    )
    return message, worse("bias_share", budget.bias)


def _by_ratio(
    budget: PreactivationBudget, ratio: float | None, cuts: Cuts
) -> tuple[str, Measured] | None:
    if ratio is None or ratio <= cuts.ratio or budget.rms_bias <= cuts.size_warning:
        return None
    message = (
        f"the biases are {ratio:.3g} times as large as the kernel's entries, more than "
        f"{cuts.ratio:g}, at an RMS of {budget.rms_bias:.3g}, more than {cuts.size_warning:g}"
    )
    return message, worse("bias_kernel_ratio", ratio)


def _harm(
    layer: LayerReport, gates: GateActivity | None, activity: UnitActivity | None, cuts: Cuts
) -> str:
    """What the biases may have done: the first sign of units that cannot answer; else empty."""
    if (layer.hidden_size or 0) < cuts.units:
        return ""
    for name, gate in (gates or {}).items():
        if gate.stuck_share > cuts.stuck:
            return f"the {name} gate is stuck in {percent(gate.stuck_share)} of the units"
    if activity is None:
        return ""
    _, extreme = ExtremeCuts().of(layer.kind)
    if activity.extreme_share is not None and activity.extreme_share > extreme:
        return f"{percent(activity.extreme_share)} of the outputs are at the ends of their range"
    if activity.dead_share > DeadCuts().error:
        return f"{percent(activity.dead_share)} of the units are dead"
    return ""
