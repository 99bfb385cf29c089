"""The Lyapunov exponent and the dimension of the state."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from layer_runs import altered, arrays_of

from rnndiag.cells.simple_rnn import SimpleRNN
from rnndiag.measurements import lyapunov, state_dimension
from rnndiag.records import LayerSpec, Options, Writer
from rnndiag.recurrence.following import tangent_growth
from rnndiag.recurrence.unrolling import unroll

OPTIONS = Options()


def diagonal_growth(s, batch: int, steps: int, seed: int = 0) -> np.ndarray:
    """(B, T) ln growth of random tangents under the linear recurrence diag(s)."""
    tangent = np.random.default_rng(seed).standard_normal((batch, len(s)))
    norms = [np.linalg.norm(tangent, axis=1)]
    for _ in range(steps):
        tangent = tangent * s / norms[-1][:, None]
        norms.append(np.linalg.norm(tangent, axis=1))
    return np.log(norms[1:]).T


def exponent(make_run, growth, **changes):
    batch, timesteps = growth.shape
    run = make_run(batch=batch, timesteps=timesteps, tangent_log_growth=growth, **changes)
    return lyapunov.measure(run, OPTIONS)


def test_a_real_linear_cell_has_the_exponent_of_its_largest_factor(make_run):
    spec = LayerSpec(
        name="rnn",
        kind="SimpleRNN",
        config={"activation": "linear"},
        writer=Writer(framework="keras"),
        weights=(np.eye(3), np.diag([0.9, -0.4, 0.2])),
    )
    cell = SimpleRNN.from_spec(spec)
    run = unroll(cell, torch.randn(100, 4, 3), cell.zero_state(4), None)
    growth = tangent_growth(run, (torch.randn(4, 3),)).T.numpy()
    assert exponent(make_run, growth).top == pytest.approx(np.log(0.9), abs=1e-6)


@pytest.mark.parametrize("top", [0.95, 0.6, 1.1])
def test_a_diagonal_recurrence_has_the_exponent_of_its_largest_factor(make_run, top):
    fact = exponent(make_run, diagonal_growth(np.array([top, 0.3, -0.2]), 8, 100))
    assert fact.top == pytest.approx(np.log(top), abs=1e-5)
    assert fact.standard_error < 1e-4
    assert fact.samples == 8


def test_the_asymptotic_span_follows_from_a_negative_exponent(make_run):
    fact = exponent(make_run, np.full((3, 60), np.log(0.9)))
    assert fact.asymptotic_span == pytest.approx(1 + np.log(100) / -np.log(0.9))
    assert exponent(make_run, np.full((3, 60), 0.01)).asymptotic_span is None
    assert exponent(make_run, np.zeros((3, 60))).asymptotic_span is None


def test_twenty_real_steps_are_burnt_in(make_run):
    growth = np.full((2, 80), 5.0)
    growth[:, 20:] = -0.1
    assert exponent(make_run, growth).top == pytest.approx(-0.1)
    growth[:, 19] = -0.1
    growth[:, 20] = 5.0
    assert exponent(make_run, growth).top == pytest.approx(-0.1 + 5.1 / 60)


def test_masked_steps_are_neither_burnt_in_nor_counted(make_run):
    growth = np.full((2, 160), np.nan)
    real = np.zeros((2, 160), bool)
    real[:, ::2] = True
    growth[:, ::2] = np.where(np.arange(80) < 20, 5.0, -0.1)
    fact = exponent(make_run, growth, mask=real, real=real)
    assert fact.top == pytest.approx(-0.1)


@pytest.mark.parametrize(("steps", "given_"), [(49, False), (50, True)])
def test_thirty_steps_are_needed_after_the_burn_in(make_run, steps, given_):
    fact = exponent(make_run, np.full((2, steps), -0.1))
    assert isinstance(fact, lyapunov.Lyapunov) == given_
    if not given_:
        assert "50 timesteps" in fact.reason


def test_samples_that_are_too_short_are_left_out(make_run):
    growth = np.stack([np.full(60, -0.1), np.full(60, 9.0)])
    real = np.ones((2, 60), bool)
    real[1, 45:] = False
    fact = exponent(make_run, growth, real=real, mask=real)
    assert (fact.top, fact.samples) == (pytest.approx(-0.1), 1)


def test_the_standard_error_is_between_samples(make_run):
    levels = np.array([-0.3, -0.1, 0.1, 0.3])
    fact = exponent(make_run, levels[:, None] * np.ones(60))
    assert fact.top == pytest.approx(0)
    assert fact.standard_error == pytest.approx(levels.std(ddof=1) / 2)


def test_one_sample_has_a_standard_error_of_its_blocks(make_run):
    growth = np.random.default_rng(0).normal(-0.2, 0.4, (1, 20 + 10_000))
    fact = exponent(make_run, growth)
    assert fact.standard_error == pytest.approx(0.4 / 100, rel=0.2)
    assert abs(fact.top + 0.2) < 4 * fact.standard_error


@pytest.mark.parametrize(
    ("value", "reason"), [(-np.inf, "dies out"), (np.nan, "not finite"), (np.inf, "not finite")]
)
def test_growth_that_is_no_number_is_skipped(make_run, value, reason):
    growth = np.full((2, 60), -0.1)
    growth[1, 40] = value
    assert reason in exponent(make_run, growth).reason


# ---------------------------------------------------------------- dimension


def dimension(make_run, h, **changes):
    batch, timesteps, units = h.shape
    run = make_run("SimpleRNN", batch=batch, timesteps=timesteps, units=units, h=h, **changes)
    return state_dimension.measure(run, OPTIONS)


def states_of_covariance(eigenvalues, rng, batch: int = 4, steps: int = 50) -> np.ndarray:
    """(B, T, H) states whose covariance has exactly these eigenvalues, in random directions."""
    units = len(eigenvalues)
    noise = rng.standard_normal((batch * steps, units))
    white, _ = np.linalg.qr(noise - noise.mean(axis=0))
    white -= white.mean(axis=0)
    turn, _ = np.linalg.qr(rng.standard_normal((units, units)))
    scaled = white * np.sqrt(eigenvalues) @ turn.T + rng.standard_normal(units)
    return scaled.reshape(batch, steps, units)


@given(eigenvalues=st.lists(st.floats(0.01, 10), min_size=2, max_size=8), seed=st.integers(0, 1000))
def test_the_participation_ratio_of_a_known_covariance(make_run, eigenvalues, seed):
    lam = np.array(eigenvalues)
    fact = dimension(make_run, states_of_covariance(lam, np.random.default_rng(seed)))
    expected = lam.sum() ** 2 / np.square(lam).sum()
    assert fact.participation_ratio == pytest.approx(expected, rel=1e-6)
    assert fact.participation_share == pytest.approx(expected / len(lam), rel=1e-6)


@pytest.mark.parametrize(("eigenvalues", "ratio"), [((1, 1, 1, 1), 4), ((5, 0, 0), 1)])
def test_the_ends_of_the_participation_ratio(make_run, eigenvalues, ratio):
    h = states_of_covariance(np.array(eigenvalues, float), np.random.default_rng(0))
    assert dimension(make_run, h).participation_ratio == pytest.approx(ratio)


@pytest.mark.parametrize("scale", [1e-4, 1e30])
def test_the_scale_of_the_states_does_not_matter(make_run, scale):
    h = states_of_covariance(np.array([3.0, 2.0, 1.0]), np.random.default_rng(0))
    plain = dimension(make_run, h)
    scaled = dimension(make_run, (scale * h).astype(np.float32))
    assert scaled.participation_ratio == pytest.approx(plain.participation_ratio, rel=1e-3)
    assert scaled.top_unit_share == pytest.approx(plain.top_unit_share, rel=1e-5)


def test_the_top_unit_by_its_mean_square_not_its_variance(make_run):
    h = np.random.default_rng(0).normal(0, 1, (4, 50, 3))
    h[..., 2] = 3.0
    fact = dimension(make_run, h)
    assert fact.top_unit == 2
    assert fact.top_unit_share == pytest.approx(9 / np.square(h).mean((0, 1)).sum())


def test_masked_states_do_not_count(make_run):
    h = states_of_covariance(np.array([3.0, 2.0, 1.0]), np.random.default_rng(0))
    mask = np.ones((8, 50), bool)
    mask[4:] = False
    padded = np.concatenate([h, np.full_like(h, 1e3)])
    fact = dimension(make_run, padded, mask=mask)
    assert fact.participation_ratio == pytest.approx(36 / 14, rel=1e-6)


def test_states_that_do_not_vary(make_run):
    fact = dimension(make_run, np.full((2, 9, 4), 0.3, np.float32))
    assert (fact.participation_ratio, fact.participation_share) == (None, None)
    assert fact.top_unit_share == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("h", "reason"),
    [(np.zeros((2, 9, 4)), "all states are zero"), (np.ones((1, 1, 4)), "single timestep")],
)
def test_states_that_say_nothing_are_skipped(make_run, h, reason):
    assert reason in dimension(make_run, h).reason


def test_duplicates_change_nothing_but_the_standard_error(make_run):
    rng = np.random.default_rng(3)
    run = make_run(tangent_log_growth=rng.normal(-0.1, 0.3, (4, 60)))
    names = "mask", "real", "tangent_log_growth"
    gates = arrays_of(run).gate_values.items()
    twice = altered(
        run,
        gate_values={name: np.concatenate([values] * 2) for name, values in gates},
        **{name: np.concatenate([getattr(arrays_of(run), name)] * 2) for name in ("h", "c")},
        **{name: np.concatenate([getattr(run, name)] * 2) for name in names},
    )
    plain, same = lyapunov.measure(run, OPTIONS), lyapunov.measure(twice, OPTIONS)
    assert same.top == pytest.approx(plain.top)
    plain, same = state_dimension.measure(run, OPTIONS), state_dimension.measure(twice, OPTIONS)
    assert same.participation_ratio == pytest.approx(plain.participation_ratio)
    assert same.top_unit_share == pytest.approx(plain.top_unit_share)
