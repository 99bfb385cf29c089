"""How far the weights have grown since the framework's default initialisation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rnndiag.measurements._gates import bias_of, units_of
from rnndiag.measurements._steps import broken_weights
from rnndiag.records import Array, LayerRun, LayerWeights, Options, Skipped
from rnndiag.squares import rms


@dataclass(frozen=True, kw_only=True)
class InitialGrowth:
    """RMS now over the RMS that is expected after initialisation, for arrays of this shape."""

    kernel: float
    """Of the input weights."""
    recurrent: float
    """Of the recurrent weights."""
    bias: float | None
    """Of the biases; None where the layer has none, or where they start at 0."""
    initialisation: str
    """What the weights are compared with: the default, whatever was really used."""


@dataclass(frozen=True, kw_only=True)
class _Start:
    """Expected mean squares of freshly initialised arrays."""

    kernel: float
    recurrent: float
    bias: float
    name: str


def measure(run: LayerRun, options: Options) -> InitialGrowth | Skipped:
    """The growth of one layer's weights; skipped where they are not finite."""
    problem = broken_weights(run)
    if problem is not None:
        return problem
    weights = run.weights
    start = _keras(weights) if run.framework == "keras" else _torch(weights)
    bias = _all_biases(weights)
    return InitialGrowth(
        kernel=_growth(weights.kernel, start.kernel),
        recurrent=_growth(weights.recurrent_kernel, start.recurrent),
        bias=None if bias is None or start.bias == 0 else _growth(bias, start.bias),
        initialisation=start.name,
    )


def _growth(array: Array, mean_square: float) -> float:
    return rms(array) / math.sqrt(mean_square)


def _all_biases(weights: LayerWeights) -> Array | None:
    biases = [bias_of(weights, gate) for gate in weights.gates]
    present = [bias for bias in biases if bias is not None]
    return np.concatenate(present) if present else None


def _keras(weights: LayerWeights) -> _Start:
    """Keras: Glorot-uniform kernel, orthogonal recurrent kernel, zeros; an LSTM's forget bias 1.

    Glorot & Bengio 2010: variance 2 / (fan in + fan out), the whole (I, G·H) matrix counting
    as one; a convolution's output is fed to as many places as its window covers. Orthonormal
    rows have mean square 1 / columns, orthonormal columns 1 / rows.
    """
    features, columns = weights.kernel.shape
    biases = "zeros with a forget bias of 1" if "forget" in weights.gates else "zeros"
    return _Start(
        kernel=2 / (features + weights.window * columns),
        recurrent=1 / max(weights.recurrent_kernel.shape),
        bias=1 / len(weights.gates) if "forget" in weights.gates else 0.0,
        name=f"Keras: glorot_uniform, orthogonal, {biases}",
    )


def _torch(weights: LayerWeights) -> _Start:
    """PyTorch: everything uniform in ±1/√H, of variance 1 / 3H; two biases that are summed.

    With a GRU's candidate, whose two biases stay apart, 2H of 4H entries are such sums.
    """
    variance = 1 / (3 * units_of(weights))
    summed = 1.0 if weights.recurrent_bias is None else 0.5
    return _Start(
        kernel=variance,
        recurrent=variance,
        bias=(1 + summed) * variance,
        name="PyTorch: uniform within ±1/√H",
    )
