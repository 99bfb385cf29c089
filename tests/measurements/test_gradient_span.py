from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnndiag.measurements import gradient_span
from rnndiag.measurements.gradient_span import GradientSpan
from rnndiag.records import Options, Skipped


def span_of(make_run, logs, real=None, *, alpha=1e-2, **changes) -> GradientSpan | Skipped:
    """Measure a run whose log norms are `logs` (P, B, T), or (T,) for one pulse and sample."""
    logs = np.asarray(logs, float)
    logs = logs.reshape((1, 1, -1)) if logs.ndim == 1 else logs
    _, batch, steps = logs.shape
    real = np.ones((batch, steps), bool) if real is None else real
    run = make_run(
        "SimpleRNN", batch=batch, timesteps=steps, pulse_log_norm=logs, real=real, mask=real,
        **changes,
    )  # fmt: skip
    return gradient_span.measure(run, Options(alpha=alpha))


def geometric(s: float, steps: int) -> np.ndarray:
    """ln s^k, the last step first in time."""
    return np.log(s) * np.arange(steps)[::-1]


# ---------------------------------------------------------------- closed forms


@pytest.mark.parametrize(("s", "span"), [(0.9, 44), (0.5, 7), (0.1, 3), (0.011, 2), (0.009, 1)])
def test_a_geometric_profile_has_its_closed_form(make_run, s, span):
    fact = span_of(make_run, geometric(s, 60))
    assert fact.span == span
    assert not fact.censored
    assert fact.timesteps == 60
    assert fact.decay_per_step == pytest.approx(s, rel=1e-12)
    assert fact.half_life == pytest.approx(np.log(0.5) / np.log(s), rel=1e-12)
    assert fact.growth == 1
    assert fact.log10_profile == pytest.approx(np.log10(s) * np.arange(60))


@pytest.mark.parametrize("start", [-700.0, -1e4, 1e4])
def test_magnitude_far_beyond_floats_changes_nothing(make_run, start):
    plain, moved = (span_of(make_run, geometric(0.9, 60) + x) for x in (0, start))
    assert (moved.span, moved.censored) == (plain.span, plain.censored)
    assert moved.log10_profile == pytest.approx(plain.log10_profile, rel=1e-9)
    assert moved.decay_per_step == pytest.approx(plain.decay_per_step, rel=1e-9)


def test_a_profile_that_falls_below_every_float_is_still_exact(make_run):
    fact = span_of(make_run, geometric(1e-3, 400), alpha=1e-300)
    assert fact.span == 101
    assert fact.log10_profile[-1] == pytest.approx(-3 * 399)


def test_a_span_that_the_sequence_ends_is_censored(make_run):
    fact = span_of(make_run, geometric(0.9, 30))
    assert (fact.span, fact.censored, fact.timesteps) == (30, True, 30)


def test_alpha_is_the_share_that_counts(make_run):
    assert span_of(make_run, geometric(0.5, 30), alpha=0.3).span == 2
    assert span_of(make_run, geometric(0.5, 30), alpha=0.5).span == 2
    assert span_of(make_run, geometric(0.5, 30), alpha=0.51).span == 1


def test_the_span_is_the_last_reach_even_beyond_a_gap(make_run):
    logs = np.log([0.02, 1e-5, 1e-5, 0.5, 1.0])
    assert span_of(make_run, logs).span == 5


def test_flat_and_growing_profiles_have_no_half_life(make_run):
    flat = span_of(make_run, np.zeros(50))
    growing = span_of(make_run, geometric(1.1, 50))
    assert flat.half_life is None
    assert flat.decay_per_step == 1
    assert growing.half_life is None
    assert growing.decay_per_step == pytest.approx(1.1)
    assert growing.growth == pytest.approx(1.1**49)


@pytest.mark.parametrize(("fall", "decays"), [(0.9e-4, False), (1.1e-4, True)])
def test_a_fall_within_the_accuracy_of_gradients_is_flat(make_run, fall, decays):
    fact = span_of(make_run, np.linspace(0, fall, 50))
    assert (fact.half_life is not None) == decays
    assert fact.decay_per_step == pytest.approx(np.exp(-fall / 49), rel=1e-12)


def test_growth_beyond_every_float_stays_a_number(make_run):
    assert np.isfinite(span_of(make_run, geometric(1e3, 400)).growth)


def test_a_single_step_has_a_span_and_no_slope(make_run):
    fact = span_of(make_run, np.zeros(1))
    assert (fact.span, fact.censored, fact.half_life, fact.decay_per_step) == (1, True, None, None)


def test_a_gradient_cut_after_one_step_decays_at_once(make_run):
    fact = span_of(make_run, [-np.inf, -np.inf, 0.0])
    assert (fact.span, fact.half_life, fact.decay_per_step) == (1, 0.0, 0.0)
    assert fact.log10_profile == (0.0, None, None)


def test_the_fit_ends_at_the_floor(make_run):
    back = np.concatenate([np.log(0.1) * np.arange(9), np.full(200, -30.0)])
    fact = span_of(make_run, back[::-1])
    assert fact.decay_per_step == pytest.approx(0.1)


def test_the_fit_does_not_follow_outliers(make_run):
    logs = geometric(0.95, 100).copy()
    logs[::10] += 3
    assert span_of(make_run, logs).decay_per_step == pytest.approx(0.95, abs=2e-3)


def test_the_fit_of_a_long_profile_uses_all_of_it(make_run):
    fact = span_of(make_run, geometric(0.995, 3000))
    assert fact.decay_per_step == pytest.approx(0.995, rel=1e-12)


# ---------------------------------------------------------------- which steps, which mean


def test_the_mean_over_samples_and_pulses_is_arithmetic(make_run):
    norms = np.random.default_rng(1).uniform(0.1, 2, (3, 4, 9))
    fact = span_of(make_run, np.log(norms))
    mean = norms.mean(axis=(0, 1))[::-1]
    assert fact.log10_profile == pytest.approx(np.log10(mean / mean[0]))
    assert fact.growth == pytest.approx(mean.max() / mean[0])


def naive_profile(norms, real):
    """The definition as loops: mean over those that still have step k, to the median length."""
    batch = range(real.shape[0])
    back = [[p[b][real[b]][::-1] for p in norms] for b in batch if real[b].any()]
    steps = int(np.median([len(sample[0]) for sample in back]))
    having = [[pulse[k] for sample in back for pulse in sample if len(pulse) > k] for k in
              range(steps)]  # fmt: skip
    mean = np.array([np.mean(values) for values in having])
    return mean / mean[0]


@given(seed=st.integers(0, 10_000), batch=st.integers(1, 7), steps=st.integers(1, 12))
def test_ragged_masked_samples_follow_the_definition(make_run, seed, batch, steps):
    rng = np.random.default_rng(seed)
    norms = rng.uniform(0.1, 2, (2, batch, steps))
    real = rng.random((batch, steps)) < 0.6
    real[0, 0] = True
    fact = span_of(make_run, np.log(norms), real)
    assert 10.0 ** np.array(fact.log10_profile) == pytest.approx(naive_profile(norms, real))


def test_the_profile_ends_at_the_median_length(make_run):
    real = np.arange(20) >= np.array([[0], [10], [15]])  # lengths 20, 10, 5
    fact = span_of(make_run, np.zeros((1, 3, 20)), real)
    assert (fact.timesteps, fact.span, fact.censored) == (10, 10, True)


def test_samples_without_a_step_count_for_nothing(make_run):
    real = np.ones((3, 8), bool)
    real[1] = False
    logs = np.stack([geometric(0.9, 8)] * 3)[None].copy()
    logs[0, 1] = -np.inf
    fact = span_of(make_run, logs, real)
    assert fact.timesteps == 8
    assert fact.decay_per_step == pytest.approx(0.9)


@given(shift=st.floats(-2000, 2000), seed=st.integers(0, 1000))
def test_scaling_the_pulse_does_not_change_the_span(make_run, shift, seed):
    logs = np.cumsum(np.random.default_rng(seed).normal(0.2, 0.5, (1, 3, 40)), axis=-1)
    before, after = span_of(make_run, logs), span_of(make_run, logs + shift)
    assert (before.span, before.censored) == (after.span, after.censored)
    assert before.decay_per_step == pytest.approx(after.decay_per_step, rel=1e-9)
    assert before.growth == pytest.approx(after.growth, rel=1e-9)


@given(seed=st.integers(0, 1000))
def test_batch_order_and_duplicates_do_not_matter(make_run, seed):
    rng = np.random.default_rng(seed)
    logs = rng.normal(0, 1, (2, 5, 30)).cumsum(axis=-1)
    real = rng.random((5, 30)) < 0.8
    real[:, -1] = True
    order = rng.permutation(5)
    plain = span_of(make_run, logs, real)
    for same in (
        span_of(make_run, logs[:, order], real[order]),
        span_of(make_run, np.concatenate([logs, logs], 1), np.concatenate([real, real])),
        span_of(make_run, logs[::-1], real),
    ):
        assert same.span == plain.span
        assert same.timesteps == plain.timesteps
        assert same.log10_profile == pytest.approx(plain.log10_profile)


def test_each_seed_has_its_own_span(make_run):
    logs = np.stack([geometric(s, 60) for s in (0.5, 0.5, 0.9, 0.9, 0.1, 0.1)])[None]
    assert span_of(make_run, logs, seeds=3).by_seed == (7, 44, 3)


def test_a_seed_without_gradient_has_none(make_run):
    logs = np.stack([geometric(0.5, 60), np.full(60, -np.inf)])[None]
    assert span_of(make_run, logs, seeds=2).by_seed == (7, None)


# ---------------------------------------------------------------- nothing to say


@pytest.mark.parametrize(
    ("logs", "reason"),
    [
        (np.full(10, np.nan), "not finite"),
        (np.array([0, np.inf, 0]), "not finite"),
        (np.full(10, -np.inf), "zero at the last step"),
    ],
)
def test_profiles_that_say_nothing_are_skipped(make_run, logs, reason):
    assert reason in span_of(make_run, logs).reason


def test_a_probe_of_padding_only_is_skipped(make_run):
    fact = span_of(make_run, np.zeros((1, 2, 5)), np.zeros((2, 5), bool))
    assert fact == Skipped(reason="no sample has an unmasked timestep")


def test_padding_that_is_not_masked_is_no_step_either(make_run):
    run = make_run(batch=2, timesteps=5, real=np.zeros((2, 5), bool))
    assert "unmasked" in gradient_span.measure(run, Options()).reason
