"""Which gate plays which part, and the columns of a weight matrix that belong to it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rnndiag.records import Array, LayerRun, LayerWeights

KEEPING = ("forget", "update")
"""The gate that keeps the state: near 0 it forgets, near 1 it remembers."""
_INITIALISED = (*KEEPING, "input")
"""Gates whose biases are set apart by initialisation: Tallec & Ollivier 2018 set an LSTM's
forget and input bias and a GRU's update bias to the lag that is wanted."""
_CANDIDATE = "candidate"
"""The gate that is no gate: what may be written to the state."""


def keeping(gates: Sequence[str]) -> str | None:
    """The gate that keeps the state; None where there is none."""
    return next((gate for gate in gates if gate in KEEPING), None)


def is_candidate(gate: str) -> bool:
    """Whether `gate` is activated like the output, from -1 to 1, and not from 0 to 1."""
    return gate == _CANDIDATE


def budgeted(gates: Sequence[str]) -> tuple[str, ...]:
    """The gates whose biases tell of training: not those that an initialisation sets."""
    return tuple(gate for gate in gates if gate not in _INITIALISED)


def columns(matrix: Array, weights: LayerWeights, gate: str) -> Array:
    """The block of `matrix` (…, G·H) that feeds `gate`, (…, H)."""
    block: Array = np.split(matrix, len(weights.gates), axis=-1)[weights.gates.index(gate)]
    return block


def bias_of(weights: LayerWeights, gate: str) -> Array | None:
    """All bias entries of `gate`; with ``reset_after`` a GRU's candidate has two a unit."""
    if weights.bias is None:
        return None
    own = columns(weights.bias, weights, gate)
    if weights.recurrent_bias is None or not is_candidate(gate):
        return own
    return np.concatenate([own, columns(weights.recurrent_bias, weights, gate)])


def units_of(weights: LayerWeights) -> int:
    """Units of each gate; with a projection (Sak et al. 2014) h has fewer."""
    units: int = weights.kernel.shape[1] // len(weights.gates)
    return units


def is_projected(run: LayerRun) -> bool:
    """Whether h is a linear map of the activated units, which bounds and rectifies nothing."""
    return units_of(run.weights) != run.hidden_size
