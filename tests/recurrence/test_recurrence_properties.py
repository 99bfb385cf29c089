"""What holds for every cell, size and input; hypothesis looks for the exception."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from equations import ALL, INPUTS, PLAIN, Case, Example, linear, orthogonal
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from trajectories import after, total_gradients

from rnndiag.layers.base import Recorder, Signal
from rnndiag.layers.recurrent import Recurrent
from rnndiag.recurrence.arriving import Losses
from rnndiag.recurrence.following import pulse_gradients
from rnndiag.recurrence.unrolling import Trajectory, unroll

SETTINGS = settings(max_examples=30, deadline=None)
CASES = st.sampled_from(PLAIN)
SEEDS = st.integers(0, 2**16)
SIZES = st.tuples(st.integers(1, 6), st.integers(1, 5))
"""Timesteps and batch."""


def normal(seed: int, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def example(case: Case, seed: int) -> Example:
    made = case.make(seed)
    return replace(made, cell=made.cell.double())


def run_of(made: Example, x: Tensor, mask: Tensor | None = None) -> Trajectory:
    cell = made.cell
    return unroll(cell, x, cell.zero_state(x.shape[1]), mask)


@SETTINGS
@given(SEEDS, st.integers(1, 5), st.integers(1, 60), st.floats(0.01, 3))
def test_a_linear_recurrence_leaves_exactly_its_power(
    seed: int, units: int, steps: int, scale: float
) -> None:
    q = orthogonal(units, seed)
    cell = linear(q).double()
    cell.recurrent_kernel = torch.from_numpy(scale * q)
    run = unroll(cell, normal(seed, steps, 1, units), cell.zero_state(1), None)
    found = pulse_gradients(run, torch.tensor([steps - 1]), (normal(seed + 1, 1, 1, units),))
    k = torch.arange(steps - 1, -1, -1, dtype=torch.float64)
    relative = found.log_norm[:, 0, 0] - found.log_norm[-1, 0, 0]
    torch.testing.assert_close(relative, k * math.log(scale), rtol=1e-12, atol=1e-12)


@SETTINGS
@given(CASES, SEEDS, SIZES, st.floats(-600, 600))
def test_gradients_scale_with_the_loss(
    case: Case, seed: int, sizes: tuple[int, int], log: float
) -> None:
    steps, batch = sizes
    made = example(case, seed)
    run = run_of(made, normal(seed, steps, batch, INPUTS))
    vectors = tuple(normal(seed + k, 2, batch, width) for k, width in enumerate(made.widths))
    scale = math.exp(log)
    at = torch.full((batch,), steps - 1)
    plain = pulse_gradients(run, at, vectors)
    scaled = pulse_gradients(run, at, tuple(scale * part for part in vectors))
    torch.testing.assert_close(scaled.log_norm, plain.log_norm + log, rtol=0, atol=1e-9)
    dh = normal(seed + 3, steps, batch, made.widths[0])
    last = tuple(part[0] for part in vectors)
    totals = total_gradients(run, dh, last)
    other = total_gradients(run, scale * dh, tuple(scale * part for part in last))
    for one, many in zip(totals.states, other.states, strict=True):
        torch.testing.assert_close(many, scale * one, rtol=1e-9, atol=1e-12 * scale)


@SETTINGS
@given(CASES, SEEDS, SIZES)
def test_two_losses_add_up(case: Case, seed: int, sizes: tuple[int, int]) -> None:
    steps, batch = sizes
    made = example(case, seed)
    run = run_of(made, normal(seed, steps, batch, INPUTS))
    none = tuple(torch.zeros(batch, width, dtype=torch.float64) for width in made.widths)
    dh = [normal(seed + k, steps, batch, made.widths[0]) for k in (1, 2)]
    one, two, both = (total_gradients(run, d, none) for d in (*dh, dh[0] + dh[1]))
    for a, b, c in zip(one.states, two.states, both.states, strict=True):
        torch.testing.assert_close(a + b, c, rtol=1e-9, atol=1e-10)


@SETTINGS
@given(CASES, SEEDS, SIZES, st.data())
def test_batch_order_does_not_matter(
    case: Case, seed: int, sizes: tuple[int, int], data: st.DataObject
) -> None:
    steps, batch = sizes
    order = torch.tensor(data.draw(st.permutations(range(batch))))
    made = example(case, seed)
    x, mask = normal(seed, steps, batch, INPUTS), normal(seed + 1, steps, batch) > -0.5
    at = torch.arange(batch) % steps
    vectors = tuple(normal(seed + k, 2, batch, width) for k, width in enumerate(made.widths))
    straight = run_of(made, x, mask)
    mixed = run_of(made, x[:, order], mask[:, order])
    for a, b in zip(after(straight), after(mixed), strict=True):
        torch.testing.assert_close(a[:, order], b)
    want = pulse_gradients(straight, at, vectors)
    got = pulse_gradients(mixed, at[order], tuple(part[:, order] for part in vectors))
    torch.testing.assert_close(got.log_norm, want.log_norm[..., order])


@SETTINGS
@given(st.sampled_from(ALL), SEEDS, SIZES, st.integers(0, 3), st.integers(0, 3))
def test_padding_changes_nothing_at_real_steps(
    case: Case, seed: int, sizes: tuple[int, int], left: int, right: int
) -> None:
    steps, batch = sizes
    made = example(case, seed)
    inside = slice(left, left + steps)
    x = normal(seed, left + steps + right, batch, INPUTS)
    mask = torch.zeros(x.shape[:2], dtype=torch.bool)
    mask[inside] = True
    runs = run_of(made, x[inside]), run_of(made, x, mask)
    for dense, padded in zip(after(runs[0]), after(runs[1]), strict=True):
        torch.testing.assert_close(padded[inside], dense)
        assert torch.equal(padded[-1], padded[inside][-1])

    dh = normal(seed + 1, *x.shape[:2], made.widths[0])
    last = tuple(normal(seed + 2 + k, batch, width) for k, width in enumerate(made.widths))
    # What reaches the carried state behind the last real step reaches that step's state.
    behind = (last[0] + dh[left + steps :].sum(0), *last[1:])
    want = total_gradients(runs[0], dh[inside], behind)
    got = total_gradients(runs[1], dh, last)
    for dense, padded in zip((*want.states, want.dz), (*got.states, got.dz), strict=True):
        torch.testing.assert_close(padded[inside], dense, rtol=1e-9, atol=1e-10)
        assert not padded[~mask].any()

    pulses = tuple(part.unsqueeze(0) for part in last)
    alone, among = (
        pulse_gradients(run, torch.full((batch,), end), pulses).log_norm
        for run, end in zip(runs, (steps - 1, left + steps - 1), strict=True)
    )
    torch.testing.assert_close(among[inside], alone, rtol=0, atol=1e-9)
    assert bool(torch.isneginf(among.transpose(1, 2)[~mask]).all())


@SETTINGS
@given(CASES, SEEDS, SIZES)
def test_reading_backwards_is_reading_the_reverse(
    case: Case, seed: int, sizes: tuple[int, int]
) -> None:
    steps, batch = sizes
    x, mask = normal(seed, batch, steps, INPUTS).float(), normal(seed + 1, batch, steps) > -0.5
    spec = case.make(seed).spec
    found = []
    for backwards in (False, True):
        config = {"go_backwards": backwards, "return_sequences": True, "return_state": True}
        layer = Recurrent(replace(spec, config={**spec.config, **config}))
        recorder = Recorder(
            generator=torch.Generator(), batch=batch, timesteps=steps, device=torch.device("cpu")
        )
        turned = (x.flip(1), mask.flip(1)) if backwards else (x, mask)
        output, *last = layer.run((Signal(*turned),), (), recorder)
        (entry,) = recorder.entries
        assert output.value is not None
        ear = Losses(in_full=True)
        entry.journal.listen(ear)
        output.value.sin().sum().backward()
        totals = ear.states(entry.journal.run)
        found.append((output.value, *(signal.value for signal in last), *totals))
    for forward, backward in zip(*found, strict=True):
        assert torch.equal(forward, backward)
