"""More weight decay for a layer, or a bound on its weights where decay has come to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rnndiag import decays
from rnndiag.records import Advice, LayerReport, LayerSettings
from rnndiag.rules._sizes import window_of
from rnndiag.rules.base import step
from rnndiag.snippets.base import Snippets

if TYPE_CHECKING:
    from rnndiag.measurements.weight_norms import WeightNorms

BOUNDED = "A: weight constraints"
"""Where a bound in the place of decay comes from."""
_ORTHOGONAL = 1.0
"""The norm of each column of an orthogonal matrix."""


def columns(layer: LayerReport, norms: WeightNorms) -> tuple[float, float]:
    """The root mean square of the norms of K's columns, and of R's.

    A column has an entry for each of the matrix's inputs, which are a projection's in R.
    """
    window = window_of(layer)
    inputs = window * (layer.input_size or 1)
    states = window * int(layer.arguments.get("proj_size") or layer.hidden_size or 1)
    return norms.rms_kernel * inputs**0.5, norms.rms_recurrent * states**0.5


def more_decay(
    layer: LayerReport,
    norms: WeightNorms,
    own: LayerSettings,
    snippets: Snippets,
    *,
    lead: str = "",
) -> Advice:
    """A first weight decay, or more of what there is; at the end of its range a bound."""
    fit = decays.next_decay(own, norms)
    if fit is None:
        return bound_instead(layer, norms, snippets, lead=lead)
    text = "more weight decay" if fit.raised else "weight decay"
    later = "" if fit.raised else ", then ten times that"
    return step(
        f"{lead}{text}: {fit.values}{later} ({fit.reason})",
        "A: weight decay 1",
        snippets.decay(fit.kernel, fit.recurrent, fit.bias),
    )


def bound_instead(
    layer: LayerReport,
    norms: WeightNorms,
    snippets: Snippets,
    *,
    lead: str = "",
    top: float = decays.HIGHEST,
    growing: bool = False,
) -> Advice:
    """A bound, because more decay would leave the range that is worth trying."""
    bound = halved(layer, norms, snippets, source=BOUNDED, lead=lead, growing=growing)
    why = f"more decay would be above {decays.written(top)}"
    return step(f"{bound.text}; {why}", BOUNDED, bound.snippet)


def halved(
    layer: LayerReport,
    norms: WeightNorms,
    snippets: Snippets,
    *,
    source: str,
    lead: str = "",
    growing: bool = False,
) -> Advice:
    """Columns of K and of R bound at half of what they have; lines to paste take the larger one.

    Where gradients grow, R's get no more than those of an orthogonal matrix have.
    """
    kernel, recurrent = columns(layer, norms)
    own = kernel / 2, min(recurrent / 2, _ORTHOGONAL) if growing else recurrent / 2
    text = (
        f"{lead}keep the norm of each column below {own[0]:.2g} in the kernel ({kernel:.2g} now) "
        f"and {own[1]:.2g} in the recurrent kernel ({recurrent:.2g} now)"
    )
    snippet = snippets.constraint(two_digits(max(own)))
    return step(f"{text}{'; the lines have the larger one' if snippet else ''}", source, snippet)


def two_digits(value: float) -> float:
    """As the text of a bound has it."""
    return float(f"{value:.2g}")
