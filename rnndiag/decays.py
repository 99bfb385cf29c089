"""Which decay for which matrix, from the shapes and sizes of the matrices.

Document A, "what to do" 1 and 9: try 1e-3 and 1e-4; one value will not do for kernel and
recurrent kernel, the much smaller one gets less; biases get no more than either.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rnndiag.measurements.weight_norms import WeightNorms

LARGEST, SMALLEST = 1e-3, 1e-4
"""The two values to try (A, "what to do" 1; B's checklist has them as a range)."""
_LEAST_SHARE = 0.1
"""Of the larger matrix's decay: a decade is as far apart as the documents' values are."""


@dataclass(frozen=True, kw_only=True)
class Decays:
    """λ for kernel, recurrent kernel and bias."""

    kernel: float
    recurrent: float
    bias: float
    reason: str
    """How the values came about, in half a sentence."""


def fitted(norms: WeightNorms, largest: float = SMALLEST) -> Decays:
    """`largest` for the matrix with the larger Frobenius norm, the other in proportion.

    ‖W‖ = RMS(w)·√(number of entries): the norm has both the shape and the size of the weights.
    """
    top = max(norms.kernel, norms.recurrent)
    kernel, recurrent = (largest * _share(norm, top) for norm in (norms.kernel, norms.recurrent))
    return Decays(
        kernel=_round(kernel),
        recurrent=_round(recurrent),
        bias=_round(min(kernel, recurrent)),
        reason=(
            f"in proportion to ‖K‖ = {norms.kernel:.3g} and ‖R‖ = {norms.recurrent:.3g}; "
            "the bias gets the smaller of the two"
        ),
    )


def _share(norm: float, top: float) -> float:
    return max(norm / top, _LEAST_SHARE) if top else 1.0


def _round(value: float) -> float:
    """The nearest of 1, 2, 5 times a power of ten: finer values promise too much."""
    exponent = math.floor(math.log10(value))
    mantissa = value / 10**exponent
    nearest = min((1, 2, 5, 10), key=lambda step: abs(math.log(mantissa / step)))
    return float(f"{nearest}e{exponent}")
