"""What the measurements make of layers whose state is an image: a unit is a filter."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest
from layer_runs import altered, arrays_of

from rnndiag.measurements import (
    gate_activity,
    initial_growth,
    non_finite,
    state_dimension,
    timescale,
    unit_activity,
    weight_norms,
)
from rnndiag.records import Array, LayerRun, LayerWeights, Options

BATCH, STEPS, POSITIONS, FILTERS = 3, 40, 6, 4
OPTIONS = Options()


def images(make_run, **changes) -> LayerRun:
    """A run over six positions of four filters."""
    run = make_run(
        "LSTM", batch=BATCH, timesteps=STEPS, units=FILTERS, positions=POSITIONS, **changes
    )
    return replace(run, kind="ConvLSTM2D")


def flat(values: Array) -> Array:
    """(B, T, H) with the filters of each position side by side."""
    return values.reshape(*values.shape[:2], -1)


def test_a_filter_is_dead_where_it_is_at_all_positions(make_run):
    h = arrays_of(images(make_run)).h.reshape(BATCH, STEPS, POSITIONS, FILTERS).copy()
    h[..., 2] = 0
    h[:, :, :5, 1] = 0
    fact = unit_activity.measure(images(make_run, h=flat(h)), OPTIONS)
    assert fact.dead_units == fact.constant_units == (2,)
    assert fact.dead_share == 1 / FILTERS
    assert fact.steps == BATCH * STEPS
    assert fact.extreme_share is not None


def test_a_single_timestep_of_many_positions_is_too_few(make_run):
    run = images(make_run)
    mask = np.zeros_like(run.mask)
    mask[0, 0] = True
    one = altered(run, mask=mask)
    assert "single timestep" in unit_activity.measure(one, OPTIONS).reason


def test_gates_and_timescales_go_by_filters(make_run):
    gates = arrays_of(images(make_run)).gate_values
    gates = {k: v.reshape(BATCH, STEPS, POSITIONS, FILTERS).copy() for k, v in gates.items()}
    gates["forget"][..., 3] = 0.01
    gates["output"][:, :, 0, 0] = 0.99
    run = images(make_run, gate_values={k: flat(v) for k, v in gates.items()})
    found = gate_activity.measure(run, OPTIONS)
    assert found["forget"].left_stuck_share == 1 / FILTERS
    assert found["output"].stuck_share == 0
    taus = -1 / np.log(gates["forget"].mean((0, 1, 2)))
    assert timescale.measure(run, OPTIONS).p50 == pytest.approx(np.median(taus))


def test_directions_are_those_of_the_filters(make_run):
    h = np.zeros((BATCH, STEPS, POSITIONS, FILTERS))
    h[..., 1] = np.random.default_rng(1).standard_normal(h.shape[:3])
    fact = state_dimension.measure(images(make_run, h=flat(h)), OPTIONS)
    assert (fact.top_unit, fact.top_unit_share) == (1, 1)
    assert fact.participation_ratio == pytest.approx(1)
    assert fact.participation_share == pytest.approx(1 / FILTERS)


def test_masked_steps_are_left_out_at_every_position(make_run):
    run = images(make_run)
    mask = run.mask.copy()
    mask[:, 10:] = False
    h = arrays_of(run).h.copy()
    h[:, 10:] = np.nan
    run = altered(run, h=h, mask=mask)
    assert unit_activity.measure(run, OPTIONS).steps == 10 * BATCH
    assert non_finite.measure(run, OPTIONS).total == 0


@pytest.mark.parametrize("size", [(3, 3), (1, 1), (5, 2)])
def test_growth_is_one_for_keras_s_own_initialisation(make_run, size):
    keras.utils.set_random_seed(0)
    layer = keras.layers.ConvLSTM2D(12, size, padding="same")
    layer.build((None, 4, 8, 8, 10))
    kernel, recurrent, bias = layer.get_weights()
    weights = LayerWeights(
        gates=("input", "forget", "candidate", "output"),
        kernel=kernel.reshape(-1, 48),
        recurrent_kernel=recurrent.reshape(-1, 48),
        bias=bias,
        window=size[0] * size[1],
    )
    fact = initial_growth.measure(replace(images(make_run), weights=weights), OPTIONS)
    assert fact.recurrent == pytest.approx(1, abs=1e-5)
    assert fact.kernel == pytest.approx(1, abs=0.05)
    assert fact.bias == pytest.approx(1)
    norms = weight_norms.measure(replace(images(make_run), weights=weights), OPTIONS)
    assert norms.kernel == pytest.approx(np.linalg.norm(kernel), rel=1e-6)
    forget = norms.gates["forget"]
    assert forget.recurrent.norm == pytest.approx(np.linalg.norm(recurrent[..., 12:24]), rel=1e-6)
    product = size == (1, 1)
    assert (forget.sigma_max is not None, forget.spectral_radius is not None) == (product, product)
