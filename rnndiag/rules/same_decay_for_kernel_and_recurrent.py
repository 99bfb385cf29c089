"""Kernel and recurrent kernel have the same decay, and are of unlike shape or size.

What it means
    One value of weight decay is used for both matrices, though one has several times the entries
    of the other, or several times its norm.

Why it matters
    The two do different work. Decay on recurrent weights acts at every timestep: it keeps
    activations in their linear part, so that gradients reach further back, at a cost in power of
    expression. Decay on the kernel does the same where the layer returns whole sequences; where it
    returns only its last step, it works more like that of a dense layer. A value that suits the
    one is seldom right for the other.

What to do
    1. Keep the value for the larger matrix, and give the much smaller one less.
    2. Search for the two separately.

ELI5
    A big dog and a small cat both have to lose weight. If you take the same bowl of food away
    from both, the dog will hardly notice, and the cat has nothing left. Measure for each.

Sources
    - A: what to do 1
    - A: weight decay 2
    - A: weight decay 3
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rnndiag import decays
from rnndiag.records import Advice, LayerReport, LayerSettings, Skipped
from rnndiag.rules._sizes import window_of
from rnndiag.rules.base import Cut, Fired, Rule, Thresholds, step, worse
from rnndiag.snippets.base import Snippets

if TYPE_CHECKING:
    from rnndiag.measurements.weight_norms import WeightNorms

RULE = Rule(code="RNN402", severity="note", rests_on="facts")


class Cuts(Thresholds):
    """How unlike two matrices may be that share one decay."""

    norms = Cut(2.0, "times", "own cut: the document says much smaller, and no number")
    entries = Cut(2.0, "times", "own cut: the document says much smaller, and no number")


@dataclass(frozen=True, kw_only=True)
class _Gap:
    """How far K and R are apart, and decays that fit."""

    what: str
    kernel: float
    recurrent: float
    cut: float
    fit: decays.Decays

    @property
    def times(self) -> float:
        """How many times the smaller one the larger is; 1 where there is nothing to compare."""
        small, large = sorted((self.kernel, self.recurrent))
        return large / small if small else 1.0

    @property
    def larger(self) -> tuple[str, str]:
        """The names of the larger and the smaller matrix."""
        names = ("kernel", "recurrent kernel")
        return names if self.kernel >= self.recurrent else (names[1], names[0])


def check(
    layer: LayerReport, own: LayerSettings, norms: WeightNorms, snippets: Snippets, cuts: Cuts
) -> Fired | Skipped | None:
    """Equal decays on K and R, whose norms or numbers of entries are further apart than a cut."""
    kernel, recurrent = own.kernel_decay, own.recurrent_decay
    if kernel is None or recurrent is None:
        return Skipped(reason="the file does not tell of weight decay: give --context FILE.toml")
    if not kernel.value or not math.isclose(kernel.value, recurrent.value, rel_tol=1e-6):
        return None
    gaps = (_by_norm(norms, kernel.value, cuts), _by_entries(layer, kernel.value, cuts))
    gap = next((gap for gap in gaps if gap.times > gap.cut), None)
    if gap is None:
        return None
    larger, smaller = gap.larger
    return Fired(
        message=(
            f"both kernels are decayed by {decays.written(kernel.value)}, but the {larger} has "
            f"{gap.times:.3g} times the {gap.what} of the {smaller}, more than {gap.cut:g}"
        ),
        evidence={
            "decay": kernel.value,
            "source": recurrent.source,
            f"kernel_{gap.what}": gap.kernel,
            f"recurrent_{gap.what}": gap.recurrent,
        },
        measured=worse(f"{gap.what}_apart", gap.times),
        advice=(
            _separate(gap, kernel.value, snippets),
            step(_what_it_does(layer), "A: weight decay 3"),
        ),
    )


def _by_norm(norms: WeightNorms, decay: float, cuts: Cuts) -> _Gap:
    return _Gap(
        what="norm",
        kernel=norms.kernel,
        recurrent=norms.recurrent,
        cut=cuts.norms,
        fit=decays.fitted(norms, decay),
    )


def _by_entries(layer: LayerReport, decay: float, cuts: Cuts) -> _Gap:
    """By the inputs that K and R take: their outputs, all gates of all units, are the same."""
    inputs = window_of(layer) * (layer.input_size or 0)
    states = window_of(layer) * int(layer.arguments.get("proj_size") or layer.hidden_size or 0)
    return _Gap(
        what="entries",
        kernel=inputs,
        recurrent=states,
        cut=cuts.entries,
        fit=decays.fitted_to_shapes(inputs, states, decay),
    )


def _separate(gap: _Gap, decay: float, snippets: Snippets) -> Advice:
    """The decay that there is for the larger matrix, less for the other."""
    kernel, recurrent = gap.fit.kernel, gap.fit.recurrent
    if gap.kernel >= gap.recurrent:
        kernel = decay
    else:
        recurrent = decay
    return step(
        f"{decays.written(kernel)} on the kernel and {decays.written(recurrent)} on the "
        f"recurrent kernel ({gap.fit.reason})",
        "A: what to do 1",
        snippets.decay(kernel, recurrent, min(kernel, recurrent)),
    )


def _what_it_does(layer: LayerReport) -> str:
    """What decay of the kernel does in this layer, as far as its file tells."""
    whole = layer.arguments.get("return_sequences")
    dense = "decay on the kernel works much as on a dense layer's"
    every = (
        "the kernel's work counts at every timestep, so that its decay linearizes as the "
        "recurrent kernel's does"
    )
    if whole is None:
        return f"search for the two apart: where only the last step is used, {dense}; else {every}"
    if whole:
        return f"search for the two apart: the layer returns whole sequences, so {every}"
    return (
        f"search for the two apart: the layer returns its last step alone, so {dense}, while "
        "the recurrent kernel's acts at every timestep"
    )
