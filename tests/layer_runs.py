"""A layer's run made up of arrays, so that what is made of it has known answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from rnndiag.records import LayerRun, LayerWeights, ParameterUpdate

GATES = {
    "LSTM": ("input", "forget", "candidate", "output"),
    "GRU": ("update", "reset", "candidate"),
    "SimpleRNN": ("hidden",),
}


def build(
    kind: str = "LSTM",
    *,
    batch: int = 4,
    timesteps: int = 60,
    inputs: int = 3,
    units: int = 5,
    seed: int = 0,
    **changes: Any,
) -> LayerRun:
    """A healthy run of `kind` with random arrays; `changes` replace fields."""
    rng = np.random.default_rng(seed)
    shape = (batch, timesteps, units)
    gates = GATES[kind]
    parts = {"kernel": 1.0, "recurrent": 1.0, "bias": 1.0}
    real = np.ones(shape[:2], bool)
    decay = np.log(0.9) * np.arange(timesteps)[::-1]
    update = ParameterUpdate(size=12, weight_rms=0.5, update_rms=1e-3, gradient_rms=0.1)
    run = LayerRun(
        name="layer",
        id="layer",
        kind=kind,
        direction="forward",
        index=0,
        call=0,
        input_size=inputs,
        hidden_size=units,
        weights=weights(gates, inputs, units, rng),
        bounded=True,
        rectified=False,
        framework="keras",
        h=np.tanh(rng.standard_normal(shape)).astype(np.float32),
        c=rng.standard_normal(shape).astype(np.float32) if kind == "LSTM" else None,
        gate_values={gate: rng.uniform(0.2, 0.8, shape).astype(np.float32) for gate in gates},
        preactivations=dict.fromkeys(gates, parts),
        mask=real,
        real=real,
        why_isotropic=None,
        pulse_log_norm=np.broadcast_to(decay, (2, batch, timesteps)),
        tangent_log_growth=np.full(shape[:2], np.log(0.9)),
        dL_dh=np.zeros(shape),
        dL_dc=None,
        direct=np.zeros(shape),
        loss_log_norm=np.broadcast_to(decay, (batch, timesteps)),
        updates=dict.fromkeys(parts, update),
    )
    return replace(run, **changes)


def weights(
    gates: tuple[str, ...], inputs: int, units: int, rng: np.random.Generator
) -> LayerWeights:
    columns = len(gates) * units
    return LayerWeights(
        gates=gates,
        kernel=rng.standard_normal((inputs, columns)).astype(np.float32),
        recurrent_kernel=rng.standard_normal((units, columns)).astype(np.float32),
        bias=rng.standard_normal(columns).astype(np.float32),
    )
