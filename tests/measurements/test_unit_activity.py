from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnndiag.measurements import unit_activity
from rnndiag.records import Options

OPTIONS = Options()


def activity(make_run, h, **changes):
    batch, timesteps, units = h.shape
    changes.setdefault("mask", np.ones((batch, timesteps), bool))
    run = make_run(
        "SimpleRNN", batch=batch, timesteps=timesteps, units=units, h=h.astype(np.float32),
        **changes,
    )  # fmt: skip
    return unit_activity.measure(run, OPTIONS)


@pytest.fixture
def lively():
    """(10, 20, 8) states of units that all do something."""
    return np.random.default_rng(0).uniform(-0.9, 0.9, (10, 20, 8))


def test_lively_units_are_not_dead(make_run, lively):
    fact = activity(make_run, lively)
    assert (fact.dead_share, fact.dead_units, fact.constant_units) == (0, (), ())
    assert fact.extreme_share == 0
    assert fact.mean_abs == pytest.approx(np.abs(lively).mean())
    assert fact.steps == 200


def test_planted_dead_units_are_found(make_run, lively):
    noise = np.random.default_rng(1).standard_normal((10, 20))
    lively[..., 1] = 0  # silent
    lively[..., 3] = 0.7  # constant
    lively[..., 4] = 5e-4 * noise.clip(-1.5, 1.5)  # dormant: nothing at all
    lively[..., 6] = 0.005 + 5e-4 * noise.clip(-1.5, 1.5)  # dormant: little against the layer
    fact = activity(make_run, lively)
    assert fact.dead_units == (1, 3, 4, 6)
    assert fact.dead_share == 0.5
    assert fact.constant_units == (1, 3)


@pytest.mark.parametrize(
    ("level", "spread"),
    [
        (0.005, 2e-3),  # quiet, but it moves
        (0.05, 5e-4),  # still, but not quiet
    ],
)
def test_dormant_means_both_quiet_and_still(make_run, lively, level, spread):
    signs = np.where(np.arange(20) % 2, 1, -1)
    lively[..., 2] = level + spread * signs
    assert activity(make_run, lively).dead_units == ()


@pytest.mark.parametrize(("spread", "dead"), [(0.8e-6, (2,)), (1.3e-6, ())])
def test_the_edge_of_constant(make_run, lively, spread, dead):
    # Near 0.06, float32 is fine enough to hold such a spread.
    lively[..., 2] = 0.06 + spread * np.where(np.arange(20) % 2, 1, -1)
    assert activity(make_run, lively).dead_units == dead


@pytest.mark.parametrize(("zeros", "dead"), [(990, (5,)), (989, ())])
def test_a_relu_unit_is_dead_at_99_percent_zeros(make_run, lively, zeros, dead):
    h = np.tile(np.abs(lively) + 0.1, (5, 1, 1))
    h.reshape(-1, 8)[:zeros, 5] = 0
    fact = activity(make_run, h, rectified=True, bounded=False)
    assert fact.dead_units == dead
    assert fact.extreme_share is None


def test_a_constant_relu_unit_that_is_not_zero_is_constant_not_dead(make_run, lively):
    h = np.abs(lively) + 0.1
    h[..., 0] = 2
    fact = activity(make_run, h, rectified=True, bounded=False)
    assert fact.dead_units == ()
    assert fact.constant_units == (0,)


def test_extreme_is_the_share_of_all_values_on_both_sides(make_run, lively):
    h = lively.copy()
    h[:5, :, 0] = 0.995
    h[5:, :, 1] = -0.995
    h[:, :, 2] *= 0.99 / np.abs(h[:, :, 2]).max()  # up to the cut is not beyond it
    h[:, :, 2] = h[:, :, 2].clip(-0.9899, 0.9899)
    assert activity(make_run, h).extreme_share == pytest.approx(1 / 8)


def test_masked_steps_count_for_nothing(make_run, lively):
    lively[..., 1] = 0
    mask = np.random.default_rng(2).random((10, 20)) < 0.5
    padded = np.where(mask[..., None], lively, np.nan)
    fact = activity(make_run, padded, mask=mask)
    assert fact.dead_units == (1,)
    assert fact.steps == mask.sum()
    assert fact.mean_abs == pytest.approx(np.abs(lively[mask]).mean())


def test_a_projected_state_is_neither_bounded_nor_rectified(make_run):
    run = make_run(units=8)
    h = np.zeros((4, 60, 3), np.float32) + np.linspace(0, 5, 60)[:, None].astype(np.float32)
    projected = make_run(units=8, h=h, hidden_size=3)
    assert unit_activity.measure(run, OPTIONS).extreme_share is not None
    assert unit_activity.measure(projected, OPTIONS).extreme_share is None


def test_one_step_is_too_little(make_run):
    assert "single timestep" in activity(make_run, np.ones((1, 1, 4))).reason


def test_one_step_of_several_samples_is_enough(make_run, lively):
    assert activity(make_run, lively[:, :1]).dead_units == ()


@given(seed=st.integers(0, 1000))
def test_batch_order_and_duplicates_do_not_matter(make_run, seed):
    rng = np.random.default_rng(seed)
    h = rng.uniform(-1, 1, (5, 7, 6))
    h[..., 0] = 0.3
    mask = rng.random((5, 7)) < 0.7
    mask[0] = True
    order = rng.permutation(5)
    plain = activity(make_run, h, mask=mask)
    for same in (
        activity(make_run, h[order], mask=mask[order]),
        activity(make_run, np.tile(h, (2, 1, 1)), mask=np.tile(mask, (2, 1))),
    ):
        assert same.dead_units == plain.dead_units == (0,)
        assert same.extreme_share == pytest.approx(plain.extreme_share)
        assert same.mean_abs == pytest.approx(plain.mean_abs)


def test_padding_that_is_not_masked_is_told_as_a_share(make_run, lively):
    mask, real = np.ones((10, 20), bool), np.ones((10, 20), bool)
    assert activity(make_run, lively, mask=mask, real=real).padding_share == 0
    real[:5, 8:] = False  # 60 of 200 steps
    fact = activity(make_run, lively, mask=mask, real=real)
    assert fact.padding_share == pytest.approx(0.3)
    assert fact.steps == 200


def test_padding_that_is_masked_is_no_part_of_it(make_run, lively):
    mask = np.ones((10, 20), bool)
    mask[:5, 8:] = False
    assert activity(make_run, lively, mask=mask, real=mask).padding_share == 0
