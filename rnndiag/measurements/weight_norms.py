"""How large the weights are, as a whole and for each gate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rnndiag.measurements._gates import bias_of, budgeted, columns
from rnndiag.measurements._steps import arrays_of, broken_weights
from rnndiag.records import Array, LayerRun, LayerWeights, Options, Skipped
from rnndiag.squares import sum_of_squares

_SQUARINGS = 12
"""The spectral radius is read from powers of a block up to the 2¹²-th."""


@dataclass(frozen=True, kw_only=True)
class ArrayNorm:
    """The size of one array."""

    norm: float
    """Frobenius norm."""
    rms: float
    """Root of the mean square of its entries."""
    max_abs: float
    """Largest |w|."""


@dataclass(frozen=True, kw_only=True)
class GateNorms:
    """One gate's blocks."""

    kernel: ArrayNorm
    """Input weights (I, H); a convolution's are flattened, a row for each place and channel."""
    recurrent: ArrayNorm
    """Recurrent weights (H, H)."""
    bias: ArrayNorm | None
    """All biases of the gate; None where the layer has none."""
    spectral_radius: float | None
    """Largest |eigenvalue| of the recurrent block; information only, it does not tell whether
    gradients explode. None where a projection makes the block no square, or where it is a
    convolution's, which is no matrix to multiply by."""
    sigma_max: float | None
    """Largest singular value of the recurrent block; information only too. None where it is a
    convolution's."""


@dataclass(frozen=True, kw_only=True)
class WeightNorms:
    """Norms of the kernel K, the recurrent kernel R and the biases b.

    Biases that enter as a sum are summed first; with ``reset_after`` a GRU's candidate has two
    that do not, and both count.
    """

    kernel: float
    """Frobenius norm of K."""
    recurrent: float
    """Frobenius norm of R."""
    bias: float | None
    """Frobenius norm of b; None where the layer has none."""
    recurrent_kernel_ratio: float | None
    """RMS(R) / RMS(K); None where K is 0."""
    bias_kernel_ratio: float | None
    """RMS(b) / RMS(K) over the gates of `PreactivationBudget`; None where there is no b or
    K is 0."""
    rms_kernel: float
    """Root mean square of K's entries."""
    rms_recurrent: float
    """Root mean square of R's entries."""
    rms_bias: float | None
    """Root mean square of b's entries."""
    max_abs: float
    """Largest |w| of all."""
    gates: Mapping[str, GateNorms]
    """The same gate by gate."""


def measure(run: LayerRun, options: Options) -> WeightNorms | Skipped:
    """The norms of one layer's weights; skipped where they are not finite."""
    problem = broken_weights(run)
    if problem is not None:
        return problem
    weights = run.weights
    kernel, recurrent = _norm(weights.kernel), _norm(weights.recurrent_kernel)
    bias = _bias_norm(weights, weights.gates)
    own = budgeted(weights.gates)
    counted = _bias_norm(weights, own)
    fed = _norm(*(columns(weights.kernel, weights, gate) for gate in own))
    return WeightNorms(
        kernel=kernel.norm,
        recurrent=recurrent.norm,
        bias=bias.norm if bias else None,
        recurrent_kernel_ratio=_ratio(recurrent, kernel),
        bias_kernel_ratio=_ratio(counted, fed) if counted else None,
        rms_kernel=kernel.rms,
        rms_recurrent=recurrent.rms,
        rms_bias=bias.rms if bias else None,
        max_abs=max(map(_peak, arrays_of(weights))),
        gates={gate: _gate(weights, gate) for gate in weights.gates},
    )


def frobenius_norms(weights: LayerWeights) -> tuple[float, float, float | None]:
    """‖K‖, ‖R‖ and ‖b‖ as in `WeightNorms`, and nothing that takes longer."""
    bias = _bias_norm(weights, weights.gates)
    kernel, recurrent = _frobenius(weights.kernel), _frobenius(weights.recurrent_kernel)
    return kernel, recurrent, bias.norm if bias else None


def _norm(*arrays: Array) -> ArrayNorm:
    """Of one array, or of several that count as one."""
    squares, size = sum(map(sum_of_squares, arrays)), sum(array.size for array in arrays)
    return ArrayNorm(
        norm=math.sqrt(squares), rms=math.sqrt(squares / size), max_abs=max(map(_peak, arrays))
    )


def _ratio(above: ArrayNorm, below: ArrayNorm) -> float | None:
    return above.rms / below.rms if below.rms else None


def _bias_norm(weights: LayerWeights, gates: tuple[str, ...]) -> ArrayNorm | None:
    biases = [bias_of(weights, gate) for gate in gates]
    present = [bias for bias in biases if bias is not None]
    return _norm(*present) if present else None


def _gate(weights: LayerWeights, gate: str) -> GateNorms:
    recurrent = columns(weights.recurrent_kernel, weights, gate)
    square = recurrent.shape[0] == recurrent.shape[1]
    product = weights.window == 1
    return GateNorms(
        kernel=_norm(columns(weights.kernel, weights, gate)),
        recurrent=_norm(recurrent),
        bias=_bias_norm(weights, (gate,)),
        spectral_radius=spectral_radius(recurrent) if square else None,
        sigma_max=_sigma_max(recurrent) if product else None,
    )


def _sigma_max(matrix: Array) -> float:
    """By the eigenvalues of the Gram matrix, which take less time than singular values."""
    scaled, peak = _scaled(matrix)
    # In float64, where the digits that squares lose are none that count.
    wide = scaled.astype(np.float64)
    gram = wide.T @ wide if len(wide) > wide.shape[1] else wide @ wide.T
    return peak * math.sqrt(max(0.0, float(np.linalg.eigvalsh(gram)[-1])))


def spectral_radius(matrix: Array) -> float:
    """Largest |eigenvalue| of a square matrix, as lim (‖A²ᵏ‖ / ‖Aᵏ‖)^(1/k) (Gelfand 1941).

    The block is squared again and again: a fraction of the time that all eigenvalues of a
    large one take. Good to 1e-6 for most blocks, to 1e-2 for defective ones.
    """
    matrix, peak = _scaled(matrix)
    scale = _frobenius(matrix)
    if scale == 0:
        return 0.0
    power, log_norm, log_growth, k = matrix / scale, np.log(scale) + np.log(peak), 0.0, 1
    for _ in range(_SQUARINGS):
        power = power @ power
        scale = _frobenius(power)
        if scale == 0:
            return 0.0
        power = power / scale
        log_growth = (log_norm + np.log(scale)) / k
        log_norm = 2 * log_norm + np.log(scale)
        k *= 2
    return float(np.exp(log_growth))


def _scaled(matrix: Array) -> tuple[Array, float]:
    """A matrix by its largest entry, and that: norms of large ones are beyond float32."""
    peak = _peak(matrix)
    return (matrix / peak, peak) if peak else (matrix, peak)


def _peak(array: Array) -> float:
    """Largest |w|."""
    return max(float(array.max(initial=0.0)), -float(array.min(initial=0.0)))


def _frobenius(array: Array) -> float:
    return math.sqrt(sum_of_squares(array))
