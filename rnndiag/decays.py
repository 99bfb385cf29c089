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
_PLAIN = 0.01
"""From here on a number is easier to read without an exponent."""


@dataclass(frozen=True, kw_only=True)
class Decays:
    """λ for kernel, recurrent kernel and bias."""

    kernel: float
    recurrent: float
    bias: float
    reason: str
    """How the values came about, in half a sentence."""

    @property
    def values(self) -> str:
        """What K and R get, to read."""
        kernel, recurrent = written(self.kernel), written(self.recurrent)
        return f"{kernel} on the kernel, {recurrent} on the recurrent kernel"


def fitted(norms: WeightNorms, largest: float = SMALLEST) -> Decays:
    """`largest` for the matrix with the larger Frobenius norm, the other in proportion.

    ‖W‖ = RMS(w)·√(number of entries): the norm has both the shape and the size of the weights.
    """
    reason = f"in proportion to ‖K‖ = {norms.kernel:.3g} and ‖R‖ = {norms.recurrent:.3g}"
    return _proportional(norms.kernel, norms.recurrent, largest, reason)


def fitted_to_shapes(kernel: int, recurrent: int, largest: float = SMALLEST) -> Decays:
    """The same by how many inputs K and R take, each with as many outputs as the other has."""
    reason = f"in proportion to their {kernel} and {recurrent} inputs"
    return _proportional(kernel, recurrent, largest, reason)


def written(value: float) -> str:
    """A decay as people write it: ``1e-4``, ``2.5e-3``, ``0.01``, ``0``; as in the snippets."""
    text = f"{value:.3g}"
    if not value or abs(float(text)) >= _PLAIN:
        return text
    mantissa, _, exponent = f"{value:.2e}".partition("e")
    return f"{float(mantissa):g}e{int(exponent)}"


def _proportional(kernel: float, recurrent: float, largest: float, reason: str) -> Decays:
    """Decays in proportion to the sizes of the two matrices."""
    top = max(kernel, recurrent)
    own, other = (_round(largest * _share(size, top)) for size in (kernel, recurrent))
    return Decays(
        kernel=own,
        recurrent=other,
        bias=min(own, other),
        reason=f"{reason}; the bias gets the smaller of the two",
    )


def _share(norm: float, top: float) -> float:
    return max(norm / top, _LEAST_SHARE) if top else 1.0


def _round(value: float) -> float:
    """The nearest of 1, 2, 5 times a power of ten: finer values promise too much."""
    exponent = math.floor(math.log10(value))
    mantissa = value / 10**exponent
    nearest = min((1, 2, 5, 10), key=lambda step: abs(math.log(mantissa / step)))
    return float(f"{nearest}e{exponent}")
