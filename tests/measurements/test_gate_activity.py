from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from layer_runs import altered, arrays_of

from rnndiag.measurements import gate_activity, timescale
from rnndiag.records import Options, Skipped

OPTIONS = Options()


def with_gate(make_run, kind, name, values, **changes):
    """A run of `kind` in which one gate has `values` (B, T, H)."""
    batch, timesteps, units = values.shape
    run = make_run(kind, batch=batch, timesteps=timesteps, units=units, **changes)
    gates = {**arrays_of(run).gate_values, name: values.astype(np.float32)}
    return altered(run, gate_values=gates)


def gate(make_run, kind, name, values, **changes):
    run = with_gate(make_run, kind, name, values, **changes)
    return gate_activity.measure(run, OPTIONS)[name]


def planted(share: float, low: float, high: float) -> np.ndarray:
    """(5, 20, 4): unit 0 low and unit 1 high on `share` of steps, 2 on both sides, 3 free."""
    steps = np.arange(100).reshape(5, 20) < round(share * 100)
    values = np.full((5, 20, 4), 0.5)
    values[..., 0] = np.where(steps, low, 0.5)
    values[..., 1] = np.where(steps, high, 0.5)
    values[..., 2] = np.where(np.arange(20) % 2, low, high)
    return values


@pytest.mark.parametrize(("share", "stuck"), [(0.95, 0.25), (0.94, 0.0)])
@pytest.mark.parametrize("name", ["input", "output"])
def test_stuck_is_one_side_on_95_percent_of_steps(make_run, name, share, stuck):
    fact = gate(make_run, "LSTM", name, planted(share, 0.05, 0.95))
    assert fact.left_stuck_share == fact.right_stuck_share == stuck
    assert fact.stuck_share == 2 * stuck
    assert fact.left_share == pytest.approx((share + 0.5) / 4)
    assert fact.right_share == pytest.approx((share + 0.5) / 4)


@pytest.mark.parametrize(("kind", "name"), [("LSTM", "forget"), ("GRU", "update")])
def test_a_keep_gate_that_stays_open_is_no_fault(make_run, kind, name):
    fact = gate(make_run, kind, name, planted(1.0, 0.05, 0.95))
    assert (fact.left_stuck_share, fact.right_stuck_share, fact.stuck_share) == (0.25, 0.25, 0.25)


def test_a_candidate_saturates_at_both_of_its_ends(make_run):
    fact = gate(make_run, "LSTM", "candidate", planted(1.0, -0.95, 0.95))
    assert (fact.left_stuck_share, fact.right_stuck_share, fact.stuck_share) == (0.25, 0.25, 0.5)
    near_zero = gate(make_run, "LSTM", "candidate", planted(1.0, 0.05, 0.5))
    assert near_zero.stuck_share == 0


def test_a_candidate_without_bounds_cannot_be_stuck(make_run):
    values = planted(1.0, -5, 5)
    fact = gate(make_run, "GRU", "candidate", values, bounded=False)
    assert (fact.stuck_share, fact.left_share, fact.right_share) == (0, 0, 0)
    assert fact.mean == pytest.approx(values.mean())


def test_the_cuts_themselves_are_not_saturated(make_run):
    # 0.1 and 0.9 as float32 must not fall on the other side of the float64 cuts.
    fact = gate(make_run, "LSTM", "output", planted(1.0, 0.1, 0.9))
    assert fact.stuck_share == 0


def test_masked_steps_count_for_nothing(make_run):
    values = planted(1.0, 0.05, 0.95)
    mask = np.random.default_rng(0).random((5, 20)) < 0.5
    values[~mask] = np.nan
    run = with_gate(make_run, "LSTM", "output", values, mask=mask)
    fact = gate_activity.measure(run, OPTIONS)["output"]
    assert fact.left_stuck_share == 0.25
    assert fact.mean == pytest.approx(values[mask].mean())


def test_the_fact_is_a_mapping_in_the_order_of_the_gates(make_run):
    fact = gate_activity.measure(make_run("GRU"), OPTIONS)
    assert isinstance(fact, Mapping)
    assert list(fact) == ["update", "reset", "candidate"]
    assert fact == gate_activity.measure(make_run("GRU"), OPTIONS)
    assert "update" in repr(fact)


def test_a_plain_recurrent_layer_has_no_gates(make_run):
    run = make_run("SimpleRNN")
    assert gate_activity.measure(run, OPTIONS) == Skipped(reason="a SimpleRNN has no gates")
    assert "no gate that keeps" in timescale.measure(run, OPTIONS).reason


# ---------------------------------------------------------------- timescale


def timescales(make_run, means, kind="LSTM", name="forget", **changes):
    values = np.broadcast_to(np.asarray(means, float), (3, 10, len(means)))
    return timescale.measure(with_gate(make_run, kind, name, values, **changes), OPTIONS)


@pytest.mark.parametrize(("kind", "name"), [("LSTM", "forget"), ("GRU", "update")])
def test_constant_gates_have_known_timescales(make_run, kind, name):
    wanted = np.arange(1.0, 12.0)  # the 11 deciles of 1 … 11
    fact = timescales(make_run, np.exp(-1 / wanted), kind, name)
    assert (fact.p10, fact.p50, fact.p90) == pytest.approx((2, 6, 10), rel=1e-5)


def test_the_mean_of_the_gate_counts_not_of_its_logarithm(make_run):
    values = np.tile([0.0, 0.8], (3, 5))[..., None] * np.ones(4)
    run = with_gate(make_run, "LSTM", "forget", values)
    assert timescale.measure(run, OPTIONS).p50 == pytest.approx(-1 / np.log(0.4), rel=1e-5)


def test_gates_that_never_or_always_keep(make_run):
    assert timescales(make_run, [0.0, 0.0, 0.0]).p90 == 0
    assert timescales(make_run, [1.0, 1.0, 1.0]).p10 == np.inf
    mixed = timescales(make_run, [0.0, 0.5, 1.0])
    assert mixed.p10 == pytest.approx(-0.2 / np.log(0.5), rel=1e-5)
    assert mixed.p50 == pytest.approx(-1 / np.log(0.5), rel=1e-5)
    assert mixed.p90 == np.inf


def test_timescales_of_unmasked_steps(make_run):
    values = np.full((4, 10, 3), 0.5)
    mask = np.ones((4, 10), bool)
    mask[:, 6:] = False
    values[~mask] = 1.0
    run = with_gate(make_run, "LSTM", "forget", values, mask=mask)
    assert timescale.measure(run, OPTIONS).p50 == pytest.approx(-1 / np.log(0.5), rel=1e-5)
