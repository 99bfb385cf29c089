"""Pulses and tangents at any magnitude: float64 autograd, finite differences, closed forms."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from equations import KERAS_3, PLAIN, Case, linear, orthogonal
from torch import Tensor
from trajectories import after, total_gradients

from rnndiag.cells.base import Cell
from rnndiag.cells.linearisation import Linearisation, State
from rnndiag.cells.lstm import LSTM
from rnndiag.records import LayerSpec
from rnndiag.recurrence.following import pulse_gradients, tangent_growth
from rnndiag.recurrence.unrolling import Passage, Trajectory, unroll
from rnndiag.running.pulses import floor

STEPS, BATCH, PULSES, INPUTS = 7, 4, 3, 3
HOLES = torch.tensor(
    [[c == "1" for c in row] for row in ("1111111", "0110110", "1111100", "0000000")]
).T


def made(case: Case, mask: Tensor | None = None) -> Trajectory:
    """A run in float64 on random input."""
    cell = case.make().cell.double()
    x = torch.randn(STEPS, BATCH, INPUTS, dtype=torch.float64)
    return unroll(cell, x, cell.zero_state(BATCH), mask)


def vectors(run: Trajectory, *lead: int) -> State:
    return tuple(torch.randn(*lead, *part.shape, dtype=part.dtype) for part in run.last)


def forgetful(units: int = 8) -> Cell:
    """An LSTM that keeps about half of its state in each step: in 400 steps nothing."""
    rng = np.random.default_rng(1)
    bias = 0.3 * rng.standard_normal(4 * units)
    bias[units : 2 * units] -= 0.3
    kernel = 0.5 * rng.standard_normal((INPUTS, 4 * units))
    recurrent = 0.25 * rng.standard_normal((units, 4 * units))
    weights = (kernel, recurrent, bias)
    spec = LayerSpec(name="rnn", kind="LSTM", config={}, writer=KERAS_3, weights=weights)
    return LSTM.from_spec(spec)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("mask", [None, HOLES], ids=["no mask", "holes"])
@pytest.mark.parametrize("case", PLAIN, ids=str)
def test_each_pulse_is_a_loss_on_its_samples_step(case: Case, mask: Tensor | None) -> None:
    run = made(case, mask)
    at = torch.tensor([6, 5, 4, -1]) if mask is not None else torch.tensor([6, 0, 3, -1])
    cotangents = vectors(run, PULSES)
    found = pulse_gradients(run, at, cotangents)
    for p in range(PULSES):
        # Sample by sample: a gradient that reaches (h, c) of step `at` and no other.
        for b in range(BATCH):
            want = torch.full((STEPS,), -math.inf, dtype=torch.float64)
            end = int(at[b]) + 1
            if end:
                want[:end] = alone(run, b, end, tuple(c[p, b] for c in cotangents))
            torch.testing.assert_close(found.log_norm[:, p, b], want, rtol=0, atol=1e-12)


def alone(run: Trajectory, b: int, end: int, cotangent: State) -> Tensor:
    """log ‖(δ, γ)‖ of one sample's first steps, backpropagated from the last of them."""
    mask = None if run.mask is None else run.mask[:end, b : b + 1]
    initial = tuple(s[b : b + 1] for s in run.initial)
    part = unroll(run.cell, run.x[:end, b : b + 1], initial, mask)
    dh = torch.zeros(end, 1, run.cell.hidden_size, dtype=torch.float64)
    states = total_gradients(part, dh, tuple(c.unsqueeze(0) for c in cotangent)).states
    norm: Tensor = torch.linalg.vector_norm(torch.cat(states, -1), dim=-1)
    return norm.log()[:, 0]


@pytest.mark.parametrize("mask", [None, HOLES], ids=["no mask", "holes"])
@pytest.mark.parametrize("case", PLAIN, ids=str)
def test_the_first_pulse_is_given_in_full(case: Case, mask: Tensor | None) -> None:
    run = made(case, mask)
    cotangents = vectors(run, PULSES)
    if mask is not None:
        # A loss on the last state is a pulse on the last real step.
        at = torch.tensor([6, 5, 4, -1])
        cotangents[0][:, 3], cotangents[-1][:, 3] = 0, 0
    else:
        at = torch.full((BATCH,), STEPS - 1)
    first = pulse_gradients(run, at, cotangents, in_full=True).first
    dh = torch.zeros_like(run.h)
    want = total_gradients(run, dh, tuple(part[0] for part in cotangents)).states
    torch.testing.assert_close(first, want, rtol=1e-10, atol=1e-13)


def test_right_far_below_float32() -> None:
    """T = 400; float32's own gradient is exactly 0 long before float64's reaches 1e-60."""
    steps, batch = 400, 4
    exact = forgetful().double()
    x = torch.randn(steps, batch, INPUTS)
    runs = [
        unroll(cell, x.to(cell.kernel.dtype), cell.zero_state(batch), None)
        for cell in (exact, copy.deepcopy(exact).float())
    ]
    pulse = torch.randn(1, batch, exact.hidden_size)
    at = torch.full((batch,), steps - 1)
    cotangents = [
        (pulse.to(run.h.dtype), torch.zeros_like(pulse, dtype=run.h.dtype)) for run in runs
    ]

    h = torch.zeros(batch, exact.hidden_size)
    state: State = (h.requires_grad_(), torch.zeros(batch, exact.hidden_size))
    z = runs[1].cell.project(x)
    for t in range(steps):
        state = runs[1].cell.step(z[t], state)
    (plain,) = torch.autograd.grad((state[0] * pulse[0]).sum(), h)
    assert not plain.any()

    zeros = torch.zeros_like(runs[0].h)
    reference = total_gradients(runs[0], zeros, tuple(part[0] for part in cotangents[0])).states
    want = torch.cat(reference, -1).norm(dim=-1).log10()
    got = pulse_gradients(runs[1], at, cotangents[1]).log_norm[:, 0] / math.log(10)
    assert float(want.min()) < -100
    assert float((got - want).abs().max()) < 2e-5


@pytest.mark.parametrize("scale", [0.05, 0.9, 1.0, 20.0])
def test_right_beyond_float64(scale: float) -> None:
    """Of a linear recurrence s Q, k steps back s^k is left: to 1e-1041, and to 1e+1040."""
    steps = 800
    cell = linear(scale * orthogonal(4))
    z = torch.zeros(steps, 1, 4)
    run = unroll(cell, z, cell.zero_state(1), None)
    found = pulse_gradients(run, torch.tensor([steps - 1]), (torch.ones(1, 1, 4),))
    k = torch.arange(steps - 1, -1, -1, dtype=torch.float64)
    want = k * math.log(scale) + math.log(2)
    torch.testing.assert_close(found.log_norm[:, 0, 0], want, rtol=1e-7, atol=1e-5)


@pytest.mark.parametrize("size", [1e-36, 1e-25, 1e25, 1e36])
def test_a_pulse_may_start_at_any_size(size: float) -> None:
    cell = linear(0.5 * orthogonal(4))
    run = unroll(cell, torch.zeros(3, 1, 4), cell.zero_state(1), None)
    found = pulse_gradients(run, torch.tensor([2]), (torch.full((1, 1, 4), size),))
    want = math.log(2 * size) + math.log(0.5) * torch.tensor([2.0, 1.0, 0.0], dtype=torch.float64)
    torch.testing.assert_close(found.log_norm[:, 0, 0], want, rtol=0, atol=1e-6)


@pytest.mark.parametrize("case", PLAIN, ids=str)
def test_zero_stays_zero_and_what_is_not_finite_shows(case: Case) -> None:
    run = made(case)
    at = torch.full((BATCH,), STEPS - 1)
    cotangents = vectors(run, PULSES)
    cotangents[0][:, 0], cotangents[-1][:, 0] = 0, 0
    cotangents[0][:, 1, 0] = math.nan
    cotangents[0][:, 2, 0] = math.inf
    log_norm = pulse_gradients(run, at, cotangents).log_norm
    assert bool(torch.isneginf(log_norm[:, :, 0]).all())
    assert bool(log_norm[:, :, 1].isnan().all())
    assert not log_norm[:, :, 2].isfinite().any()
    assert not torch.isneginf(log_norm[:, :, 2]).any()
    assert bool(log_norm[:, :, 3].isfinite().all())


@pytest.mark.parametrize("case", PLAIN, ids=str)
def test_a_tangent_grows_as_finite_differences_do(case: Case) -> None:
    run, eps = made(case), 1e-6
    tangent = vectors(run)
    ends = []
    for sign in (1, -1):
        start = tuple(s + sign * eps * v for s, v in zip(run.initial, tangent, strict=True))
        ends.append(after(unroll(run.cell, run.x, start, None)))
    moved = torch.cat([(a - b) / (2 * eps) for a, b in zip(*ends, strict=True)], -1)
    length = torch.cat((torch.cat(tangent, -1).unsqueeze(0), moved)).norm(dim=-1)
    got = tangent_growth(run, tangent)
    torch.testing.assert_close(got, length.log().diff(dim=0), rtol=0, atol=1e-6)


def test_a_tangent_of_a_linear_recurrence_grows_by_its_scale() -> None:
    for scale in (0.05, 1.5):
        cell = linear(scale * orthogonal(4))
        run = unroll(cell, torch.zeros(500, 2, 4), cell.zero_state(2), None)
        got = tangent_growth(run, (torch.randn(2, 4),))
        want = torch.full((500, 2), math.log(scale), dtype=torch.float64)
        torch.testing.assert_close(got, want, rtol=0, atol=1e-6)


@pytest.mark.parametrize("case", PLAIN, ids=str)
def test_masked_steps_do_nothing_to_a_tangent(case: Case) -> None:
    run = made(case, HOLES)
    tangent = vectors(run)
    got = tangent_growth(run, tangent)
    assert torch.equal(got.isnan(), ~HOLES)
    for b in range(BATCH - 1):
        real = HOLES[:, b]
        dense = unroll(run.cell, run.x[real, b : b + 1], run.cell.zero_state(1), None)
        want = tangent_growth(dense, tuple(part[b : b + 1] for part in tangent))
        torch.testing.assert_close(got[real, b], want[:, 0], rtol=0, atol=1e-12)


def test_the_floor_is_a_share_of_the_smallest_number_that_training_has() -> None:
    assert floor(1e-2) / math.log(10) == pytest.approx(-39.93, abs=0.01)
    assert floor(1e-5) / math.log(10) == pytest.approx(-42.93, abs=0.01)


@pytest.mark.parametrize("size", [1e-20, 1.0, 1e20])
@pytest.mark.parametrize("depth", [1e-3, 1e-40])
def test_down_to_the_floor_a_pulse_is_followed_whole(depth: float, size: float) -> None:
    cell = forgetful()
    run = unroll(cell, torch.randn(400, BATCH, INPUTS), cell.zero_state(BATCH), None)
    at = torch.tensor([399, 380, 200, -1])
    cotangents = tuple(size * part for part in vectors(run, PULSES))
    whole = pulse_gradients(run, at, cotangents).log_norm
    cut = pulse_gradients(run, at, cotangents, floor=math.log(depth)).log_norm
    followed = ~cut.isneginf()
    assert torch.equal(cut[followed], whole[followed])
    for sample, start in enumerate(at[:3]):
        relative = whole[:, :, sample] - whole[start, :, sample]
        assert bool((relative[~followed[:, :, sample]] <= math.log(depth)).all())
    # It ends a few steps behind the last pulse's floor: half of it is left in each.
    end = int(followed[:, 0, 2].nonzero()[0])
    assert end > 0
    assert float(whole[end, :, 2].max() - whole[200, :, 2].max()) > 1.3 * math.log(depth) - 25


class Scaling(Linearisation):
    """Each step multiplies a vector by its own factor."""

    def __init__(self, factors: Tensor) -> None:
        self.factors = factors

    def pull(self, t: int, cotangent: State) -> tuple[Tensor, State]:
        return cotangent[0], (self.factors[t] * cotangent[0],)

    def push(self, t: int, tangent: State) -> State:
        raise NotImplementedError


class Scripted(Trajectory):
    """A run of which nothing is known but what gradients do on it."""

    def passages_back(self) -> Iterator[Passage]:
        jacobian = Scaling(self.x[:, 0, 0])
        yield Passage(start=0, count=len(self), jacobian=jacobian, mask=None)


def test_a_pulse_that_grew_is_followed_down_to_where_it_began() -> None:
    """Up a hundred orders of magnitude and down again: none of it may be missing."""
    factors = torch.cat((torch.full((100,), 0.1), torch.full((100,), 10.0))).view(-1, 1, 1)
    cell = linear(orthogonal(4))
    plain = unroll(cell, factors.expand(-1, 1, 4), cell.zero_state(1), None)
    run = Scripted(**vars(plain))
    begun = torch.tensor([199]), (torch.ones(1, 1, 4),)
    found = pulse_gradients(run, *begun, floor=math.log(1e-30)).log_norm
    assert float(found.max() - found[199]) == pytest.approx(100 * math.log(10), rel=1e-6)
    assert bool(found.isfinite().all())
