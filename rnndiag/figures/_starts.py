"""How large the weights of a layer were when its training began, as far as defaults tell."""

from __future__ import annotations

from rnndiag.measurements._gates import bias_of, units_of
from rnndiag.measurements.initial_growth import InitialGrowth
from rnndiag.measurements.weight_norms import WeightNorms
from rnndiag.records import LayerRun


def starts(norms: WeightNorms, growth: InitialGrowth) -> dict[str, float]:
    """The root mean square that each part is expected to have started with, where above 0."""
    found = {
        "kernel": norms.rms_kernel / growth.kernel if growth.kernel else 0.0,
        "recurrent": norms.rms_recurrent / growth.recurrent if growth.recurrent else 0.0,
    }
    if growth.bias and norms.rms_bias is not None:
        found["bias"] = norms.rms_bias / growth.bias
    return {part: start for part, start in found.items() if start > 0}


def bias_starts(run: LayerRun, pooled: float) -> list[float | None]:
    """What `starts` pools over the gates, gate by gate; None where biases start at 0.

    Keras starts an LSTM's forget gate at 1 and the others at 0. PyTorch adds two biases of one
    width up, except in a GRU's candidate, where both are counted on their own.
    """
    weights = run.weights
    if run.framework == "keras":
        return [1.0 if gate == "forget" else None for gate in weights.gates]
    apart = [_entries(run, gate) > units_of(weights) for gate in weights.gates]
    summands = 1.5 if any(apart) else 2.0
    single = pooled / summands**0.5
    return [single if own else single * 2**0.5 for own in apart]


def _entries(run: LayerRun, gate: str) -> int:
    bias = bias_of(run.weights, gate)
    return 0 if bias is None else int(bias.size)
