"""A layer's run made up of arrays, so that what is made of it has known answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np

from rnndiag.records import (
    Activity,
    Array,
    Budget,
    GateStatistics,
    LayerArrays,
    LayerRun,
    LayerWeights,
    ParameterUpdate,
    UnitStatistics,
)

GATES = {
    "LSTM": ("input", "forget", "candidate", "output"),
    "GRU": ("update", "reset", "candidate"),
    "SimpleRNN": ("hidden",),
}
ARRAYS = frozenset(field.name for field in fields(LayerArrays))


def build(
    kind: str = "LSTM",
    *,
    batch: int = 4,
    timesteps: int = 60,
    inputs: int = 3,
    units: int = 5,
    positions: int = 1,
    seed: int = 0,
    **changes: Any,
) -> LayerRun:
    """A healthy run of `kind` with random arrays; `changes` replace them, and other fields.

    ``preactivations`` are the budgets of its gates; all else that sums the run up is made of
    the arrays.
    """
    rng = np.random.default_rng(seed)
    gates = GATES[kind]
    arrays = _arrays(kind, (batch, timesteps, positions * units), rng)
    real = np.ones((batch, timesteps), bool)
    decay = np.log(0.9) * np.arange(timesteps)[::-1]
    update = ParameterUpdate(size=12, weight_rms=0.5, update_rms=1e-3, gradient_rms=0.1)
    budgets = dict.fromkeys(gates, Budget(kernel=1.0, recurrent=1.0, bias=1.0))
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
        activity=summed_up(arrays, real, budgets, positions),
        mask=real,
        real=real,
        why_isotropic=None,
        pulse_log_norm=np.broadcast_to(decay, (2, batch, timesteps)),
        tangent_log_growth=np.full(real.shape, np.log(0.9)),
        loss_log_norm=np.broadcast_to(decay, (batch, timesteps)),
        arrays=arrays,
        updates=dict.fromkeys(("kernel", "recurrent", "bias"), update),
        positions=positions,
    )
    return altered(run, **changes)


def altered(run: LayerRun, **changes: Any) -> LayerRun:
    """The run with other arrays or fields, and with the activity that these have."""
    assert run.arrays is not None
    arrays = replace(run.arrays, **{name: changes.pop(name) for name in ARRAYS & changes.keys()})
    budgets = changes.pop("preactivations", run.activity.preactivations)
    found = replace(run, arrays=arrays, **changes)
    return replace(found, activity=summed_up(arrays, found.mask, budgets, found.positions))


def arrays_of(run: LayerRun) -> LayerArrays:
    """The arrays, which every run that is made up here has."""
    assert run.arrays is not None
    return run.arrays


def _arrays(kind: str, shape: tuple[int, ...], rng: np.random.Generator) -> LayerArrays:
    return LayerArrays(
        h=np.tanh(rng.standard_normal(shape)).astype(np.float32),
        c=rng.standard_normal(shape).astype(np.float32) if kind == "LSTM" else None,
        gate_values={gate: rng.uniform(0.2, 0.8, shape).astype(np.float32) for gate in GATES[kind]},
        dL_dh=np.zeros(shape),
        dL_dc=None,
        direct=np.zeros(shape),
    )


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


# ---------------------------------------------------------------- what it did, summed up


def summed_up(
    arrays: LayerArrays, mask: Array, budgets: Mapping[str, Budget], positions: int = 1
) -> Activity:
    """The activity by its definitions, in numpy and float64; zeros where all is masked.

    It shares nothing with the package but the records: what sums a real run up is held
    against it.
    """
    with np.errstate(all="ignore"):
        return Activity(
            units=_units(arrays, mask, positions),
            gates={
                name: _gate(name, by_unit(values, mask, positions))
                for name, values in arrays.gate_values.items()
            },
            preactivations=budgets,
        )


def by_unit(values: Array, mask: Array, positions: int = 1) -> Array:
    """(N, units) of the unmasked steps of `values` (B, T, H), a row for each position."""
    rows = values[mask]
    found: Array = rows.reshape(len(rows) * positions, rows.shape[1] // positions)
    return found


def _units(arrays: LayerArrays, mask: Array, positions: int) -> UnitStatistics:
    h = by_unit(arrays.h, mask, positions)
    mean = _mean(h)
    deviation = h.astype(np.float64) - mean
    states = [arrays.h] if arrays.c is None else [arrays.h, arrays.c]
    return UnitStatistics(
        steps=int(mask.sum()),
        mean=mean,
        covariance=deviation.T @ deviation / max(1, len(h)),
        mean_abs=_mean(np.abs(h)),
        off_share=_mean(h == 0),
        # In the values' own precision, in which a cut is as near as it can be.
        extreme_share=_mean(np.abs(h) > 0.99),
        non_finite=sum(int((~np.isfinite(part[mask])).sum()) for part in states),
    )


def _gate(name: str, values: Array) -> GateStatistics:
    low = -0.9 if name == "candidate" else 0.1
    return GateStatistics(
        mean=_mean(values), low_share=_mean(values < low), high_share=_mean(values > 0.9)
    )


def _mean(rows: Array) -> Array:
    """Of each column; 0 without a row."""
    found: Array = rows.sum(axis=0, dtype=np.float64) / max(1, len(rows))
    return found
