"""Which decay for which matrix, from the shapes and sizes of the matrices.

Document A, "what to do" 1 and 9: try 1e-3 and 1e-4; one value will not do for kernel and
recurrent kernel, the much smaller one gets less; biases get no more than either.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rnndiag.records import LayerSettings, Setting

if TYPE_CHECKING:
    from rnndiag.measurements.weight_norms import WeightNorms

LARGEST, SMALLEST = 1e-3, 1e-4
"""The two values to try (A, "what to do" 1; B's checklist has them as a range)."""
HIGHEST = 1e-2
"""More than this is out of the range that RNN404 accepts."""
MATRICES = ("kernel", "recurrent")
"""What `next_decay` calls K and R."""
_RAISE = 10.0
"""From one value to the next, as from 1e-4 to 1e-3."""
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
    raised: bool = False
    """Whether they are more of a decay that is there already."""

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


def next_decay(
    own: LayerSettings,
    norms: WeightNorms,
    *,
    start: float = SMALLEST,
    raising: Collection[str] = MATRICES,
    top: float = HIGHEST,
) -> Decays | None:
    """What to decay by next, given the decay that is there; None where that leaves no room.

    Where neither kernel is known to be decayed: `fitted`, beginning at `start`. Else the decays of
    the matrices named in `raising` go up tenfold, or together by as much as `top` allows, and no
    less than to the fitted ones; those of them that have none get a fitted one, and so does every
    matrix of which nothing is known. The others keep theirs.
    """
    fit = fitted(norms, start)
    now = {"kernel": _value(own.kernel_decay), "recurrent": _value(own.recurrent_decay)}
    if not any(now.values()):
        return fit
    fits = {"kernel": fit.kernel, "recurrent": fit.recurrent}
    values = {name: fits[name] if value is None else value for name, value in now.items()}
    below = {name: value for name in raising if (value := now[name]) is not None and value < top}
    most = max(below.values(), default=0.0)
    factor = min(_RAISE, top / most) if most else _RAISE
    for name, value in below.items():
        values[name] = max(_three_digits(value * factor), fits[name])
    if all(values[name] == now[name] for name in raising):
        return None
    return _more(values, now, own)


def _more(
    values: Mapping[str, float], now: Mapping[str, float | None], own: LayerSettings
) -> Decays:
    """Raised decays of K and R, with that of the biases, and what they were."""
    least = min(values.values())
    bias = _value(own.bias_decay) or least
    told = " and ".join("unknown" if value is None else written(value) for value in now.values())
    reason = f"{told} now; the bias gets no more than either"
    return Decays(**values, bias=min(bias, least), reason=reason, raised=True)


def _value(setting: Setting[float] | None) -> float | None:
    return setting.value if setting else None


def _three_digits(value: float) -> float:
    """Without what multiplying leaves behind: 3e-4 times 10 is 0.0029999999999999996."""
    return float(f"{value:.3g}")


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
