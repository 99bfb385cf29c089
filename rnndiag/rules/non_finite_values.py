"""Weights or states are NaN or infinite.

What it means
    Some numbers of this layer are none. If they are weights, no training step brings them back,
    and whatever touches them becomes NaN too: most other measurements of the layer are skipped.
    If only states are, the weights are sound and the fault is in what reached them.
    Such numbers in other layers' arrays are a note, at the first recurrent layer that is sound:
    a table of energies holds infinity by design.

Why it matters
    The network's answers are NaN, or rest on luck about which inputs miss the broken part.

What to do
    1. Go back to the last checkpoint in which everything was finite. A checkpoint that is only
    kept when validation improves is never one of the broken ones.
    2. Look for NaN, and for values far off the others, among inputs and targets.
    3. Clip gradients: one that was too large has most often caused it.
    4. Lower the learning rate.

ELI5
    You spill ink into a bucket of paint. Everything that you paint from it is spoilt, and no
    stirring gets the ink out. Take the paint that you had put aside before, and this time move
    the ink away from the edge.

Sources
    - B: tuning: unstable
    - B: early stopping
    - B: normalization
    - A: what to do 6
    - Pascanu, Mikolov & Bengio 2013, On the difficulty of training recurrent neural networks
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rnndiag.records import Advice, LayerReport, ProbeReport, Report, Series, Settings, Severity
from rnndiag.rules._advice import clip, lower_rate
from rnndiag.rules.base import Fired, Rule, step, worse
from rnndiag.snippets.base import Snippets

if TYPE_CHECKING:
    from rnndiag.measurements.non_finite import NonFinite

RULE = Rule(code="RNN301", severity="error", rests_on="weights")
_SHOWN = 3
"""Arrays that a message names."""
_PARTS = {"kernel": "kernel", "recurrent_kernel": "recurrent", "bias": "bias"}
"""What the measurement calls a tensor → what `LayerReport.parameters` does."""


def check(
    report: Report,
    layer: LayerReport,
    values: NonFinite,
    series: Series | None,
    settings: Settings,
    snippets: Snippets,
) -> Fired | None:
    """Any value that is not finite; outside the recurrent layers, once for the network."""
    elsewhere = report.checkpoint.non_finite
    if not values.total:
        return _note(elsewhere) if elsewhere and layer is _first_sound(report) else None
    # States that broken weights touch are broken too, as many as the probe happens to have.
    broken = values.total - values.states
    return Fired(
        message=_message(values, broken),
        severity="error" if broken else _of_states(layer, report.probe),
        evidence={
            **{part: int(getattr(values, part)) for part in values.tensors},
            "parameters": _parameters(layer, values),
        },
        measured=worse("non_finite", broken or values.states),
        advice=(
            _first(layer, broken, series, elsewhere),
            step(
                "look for NaN and for values far off the others among inputs and targets, and "
                "scale what is left to mean 0 and variance 1",
                "B: normalization",
                snippets.scaled_inputs(),
            ),
            clip(settings, snippets),
            lower_rate(settings, snippets),
        ),
    )


def _first_sound(report: Report) -> LayerReport | None:
    """The layer that speaks for the network: broken ones have worse to tell."""
    facts = ((own, own.fact("non_finite")) for own in report.layers if own.analysed)
    return next((own for own, fact in facts if getattr(fact, "total", None) == 0), None)


def _note(elsewhere: Mapping[str, int]) -> Fired:
    """Of arrays outside the recurrent layers, which may hold infinity by design."""
    total = sum(elsewhere.values())
    return Fired(
        message=f"{total} weights of layers that are not recurrent are NaN or infinite, more "
        f"than 0: {_places(elsewhere)}; the recurrent layers are judged apart",
        severity="note",
        evidence={"parameters": list(elsewhere), "values": list(elsewhere.values())},
        measured=worse("non_finite_elsewhere", total),
        advice=(
            step(
                "see whether these arrays hold such values by design, as masks and tables of "
                "energies do; if not, go back to the last checkpoint without them",
                "B: early stopping",
            ),
        ),
    )


def _places(elsewhere: Mapping[str, int]) -> str:
    """The first arrays with their counts, and how many more there are."""
    shown = [f"{count} in {name}" for name, count in list(elsewhere.items())[:_SHOWN]]
    more = len(elsewhere) - len(shown)
    return ", ".join((*shown, f"and {more} more arrays") if more else shown)


def _message(values: NonFinite, broken: int) -> str:
    if not broken:
        return f"{values.states} state values are NaN or infinite, more than 0, and no weights are"
    places = ", ".join(
        f"{getattr(values, part)} in the {part.replace('_', ' ')}"
        for part in values.tensors
        if part in _PARTS
    )
    return f"{broken} weights are NaN or infinite, more than 0: {places}"


def _of_states(layer: LayerReport, probe: ProbeReport) -> Severity:
    """Weights are broken whatever comes in; states alone may be the fault of made-up input."""
    made_up = probe.source == "synthetic" or layer.reason is not None
    return "warning" if made_up else "error"


def _parameters(layer: LayerReport, values: NonFinite) -> list[str]:
    """What the file calls the broken tensors."""
    parts = [_PARTS[part] for part in values.tensors if part in _PARTS]
    return [name for part in parts for name in layer.parameters.get(part, ())]


def _first(
    layer: LayerReport, broken: int, series: Series | None, elsewhere: Mapping[str, int]
) -> Advice:
    """Back to sound weights; or, where they are sound, to what feeds them."""
    if not broken:
        known = f"; other layers have {_places(elsewhere)}" if elsewhere else ""
        return step(
            "the weights are finite: look for NaN in what feeds the layer, in the layers before "
            f"it first{known}",
            "B: normalization",
        )
    good = _last_good(layer, series) if series else None
    where = good or "the last checkpoint without such values"
    return step(
        f"go back to {where}; until then most of what is measured here is skipped",
        "B: early stopping",
    )


def _last_good(layer: LayerReport, series: Series) -> str | None:
    """The latest checkpoint in which all of the layer's weights are finite."""
    sizes = series.layers.get(f"{layer.id}/{layer.direction}")
    if sizes is None:
        return None
    biases = sizes.bias or sizes.kernel
    norms = zip(series.checkpoints, sizes.kernel, sizes.recurrent, biases, strict=True)
    good = [name for name, *own in norms if None not in own]
    return good[-1] if good else None
