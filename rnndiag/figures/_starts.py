"""How large the weights of a layer were when its training began, as far as defaults tell."""

from __future__ import annotations

from rnndiag.measurements.initial_growth import InitialGrowth
from rnndiag.measurements.weight_norms import WeightNorms


def starts(norms: WeightNorms, growth: InitialGrowth) -> dict[str, float]:
    """The root mean square that each part is expected to have started with, where above 0."""
    found = {
        "kernel": norms.rms_kernel / growth.kernel if growth.kernel else 0.0,
        "recurrent": norms.rms_recurrent / growth.recurrent if growth.recurrent else 0.0,
    }
    if growth.bias and norms.rms_bias is not None:
        found["bias"] = norms.rms_bias / growth.bias
    return {part: start for part, start in found.items() if start > 0}
