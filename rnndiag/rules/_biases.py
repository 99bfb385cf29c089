"""Keeping biases small, as several rules advise it, with values for the layer at hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rnndiag import decays
from rnndiag.records import Advice, LayerSettings
from rnndiag.rules.base import step
from rnndiag.snippets.base import Snippets

if TYPE_CHECKING:
    from rnndiag.measurements.weight_norms import WeightNorms

_SOURCE = "A: what to do 9"


def smaller(
    norms: WeightNorms, own: LayerSettings, snippets: Snippets, share: float = 0.5
) -> Iterator[Advice]:
    """Decay biases no more than either kernel, or bound their norm at `share` of what it is.

    Kernels that are known to be decayed keep their values, others get fitted ones.
    """
    kernel, recurrent, why = _kernels(norms, own)
    bias = min(kernel, recurrent)
    yield step(
        f"decay the biases by {decays.written(bias)}, {why}",
        _SOURCE,
        snippets.decay(kernel, recurrent, bias),
    )
    if norms.bias:
        bound = float(f"{share * norms.bias:.2g}")
        yield step(
            f"or bound their norm at {bound:g} ({norms.bias:.3g} now)",
            _SOURCE,
            snippets.constraint(bound, bias=True),
        )


def _kernels(norms: WeightNorms, own: LayerSettings) -> tuple[float, float, str]:
    """The decays of K and R that go with that of the biases, and how they relate to it."""
    if own.kernel_decay and own.recurrent_decay:
        kernel, recurrent = own.kernel_decay.value, own.recurrent_decay.value
        if kernel and recurrent:
            pair = f"{decays.written(kernel)} and {decays.written(recurrent)}"
            return kernel, recurrent, f"no more than kernel and recurrent kernel get ({pair})"
    fit = decays.fitted(norms)
    pair = f"{decays.written(fit.kernel)} and {decays.written(fit.recurrent)}"
    return fit.kernel, fit.recurrent, f"and the kernels, which need no less, by {pair}"
