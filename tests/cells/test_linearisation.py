"""Jacobian products of every cell against autograd, finite differences and each other."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from equations import ALL, INPUTS, PLAIN, Case, Example
from torch import Tensor
from trajectories import steps

from rnndiag import activations
from rnndiag.cells.linearisation import AutogradLinearisation, State
from rnndiag.cells.lstm import LSTM

# PyTorch builds its rules for forward differentiation with it.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")

STEPS, BATCH = 3, 4
KERAS_NAMES = sorted(
    {**activations._BOUNDED, **activations._RECTIFIED, **activations._OTHER, **activations._VECTOR}
)


def normal(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def trajectory(example: Example) -> tuple[Tensor, State]:
    """z (T, B, G·H) and the states before each step, unrelated random ones."""
    x = normal(STEPS, BATCH, INPUTS, seed=1)
    before = tuple(
        normal(STEPS, BATCH, width, seed=2 + k) for k, width in enumerate(example.widths)
    )
    return example.cell.double().project(x), before


def vectors(example: Example, *lead: int, seed: int = 5) -> State:
    return tuple(
        normal(*lead, BATCH, width, seed=seed + k) for k, width in enumerate(example.widths)
    )


def dot(a: State, b: State) -> Tensor:
    return sum(((x * y).sum() for x, y in zip(a, b, strict=True)), torch.zeros(()))


@pytest.mark.parametrize("case", ALL, ids=str)
def test_pull_is_autograds_gradient_of_one_step(case: Case) -> None:
    example = case.make()
    z, before = trajectory(example)
    cotangent = vectors(example)
    for t in range(STEPS):
        inputs = [part[t].clone().requires_grad_() for part in (z, *before)]
        after = example.cell.step(inputs[0], tuple(inputs[1:]))
        want = torch.autograd.grad(dot(after, cotangent), inputs)
        dz, previous = example.cell.linearise(steps(example.cell, z, before)).pull(t, cotangent)
        for mine, reference in zip((dz, *previous), want, strict=True):
            torch.testing.assert_close(mine, reference, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("case", ALL, ids=str)
def test_push_is_the_slope_of_the_equations_in_numpy(case: Case) -> None:
    example = case.make()
    _, before = trajectory(example)
    x, tangent, eps = normal(STEPS, BATCH, INPUTS, seed=1), vectors(example), 1e-6
    for t in range(STEPS):
        ends = []
        for sign in (1, -1):
            moved = zip(before, tangent, strict=True)
            state = tuple((part[t] + sign * eps * v).numpy() for part, v in moved)
            ends.append(example.step(x[t].numpy(), state))
        jacobian = example.cell.linearise(
            steps(example.cell, example.cell.double().project(x), before)
        )
        for mine, up, down in zip(jacobian.push(t, tangent), *ends, strict=True):
            np.testing.assert_allclose(mine.numpy(), (up - down) / (2 * eps), rtol=0, atol=5e-9)


@pytest.mark.parametrize("case", ALL, ids=str)
def test_pull_and_push_are_adjoint_and_take_extra_axes(case: Case) -> None:
    example = case.make()
    jacobian = example.cell.linearise(steps(example.cell, *trajectory(example)))
    cotangents, tangents = vectors(example, 2, 3, seed=5), vectors(example, 2, 3, seed=8)
    dz, pulled = jacobian.pull(1, cotangents)
    pushed = jacobian.push(1, tangents)
    torch.testing.assert_close(dot(pulled, tangents), dot(cotangents, pushed))
    alone_dz, alone = jacobian.pull(1, tuple(part[1, 2] for part in cotangents))
    for many, one in zip((dz, *pulled), (alone_dz, *alone), strict=True):
        torch.testing.assert_close(many[1, 2], one)
    single = jacobian.push(1, tuple(part[1, 2] for part in tangents))
    for many, one in zip(pushed, single, strict=True):
        torch.testing.assert_close(many[1, 2], one)


@pytest.mark.parametrize("name", KERAS_NAMES)
@pytest.mark.parametrize("case", PLAIN, ids=lambda case: f"{case.kind} {case.options}")
def test_closed_form_and_autograd_agree_for_every_activation(case: Case, name: str) -> None:
    example = case.make()
    cell = example.cell
    function = activations.activation(name, case.spec().writer)
    cell.functions = (function,) * len(cell.functions)
    z, before = trajectory(example)
    closed, general = (
        cell.linearise(steps(cell, z, before)),
        AutogradLinearisation(cell.step, z, before),
    )
    assert isinstance(closed, AutogradLinearisation) is not function.elementwise
    cotangents, tangents = vectors(example, 2), vectors(example, 2, seed=8)
    (dz, pulled), (general_dz, general_pulled) = (j.pull(2, cotangents) for j in (closed, general))
    mine = (dz, *pulled, *closed.push(2, tangents))
    reference = (general_dz, *general_pulled, *general.push(2, tangents))
    for a, b in zip(mine, reference, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("case", [case for case in ALL if case.kind == "LSTM"], ids=str)
def test_the_cells_cotangent_with_the_path_through_h(case: Case) -> None:
    example = case.make()
    z, before = trajectory(example)
    delta, gamma = (torch.stack([part] * STEPS) for part in vectors(example))
    assert isinstance(example.cell, LSTM)
    made = steps(example.cell, z, before)
    *_, o = made.gates
    c = example.cell.step(z, before)[1].requires_grad_()
    h = o * example.cell.activation(c)
    h = h if example.cell.projection is None else h @ example.cell.projection
    (through,) = torch.autograd.grad((h * delta).sum(), c)
    same, total = example.cell.hidden_cotangent(made, (delta, gamma))
    torch.testing.assert_close(total, gamma + through, rtol=1e-12, atol=1e-13)
    assert same is delta


@pytest.mark.parametrize("case", PLAIN, ids=str)
def test_slopes_of_saturated_units_keep_their_digits_in_float32(case: Case) -> None:
    exact, rounded = case.make(), case.make()
    z, before = trajectory(exact)
    # Pre-activations to ±30: in float32 1 - tanh² is 0 from 9 on, 1 - σ from 17 on.
    z = z.sign() * normal(*z.shape, seed=9).abs().clamp(0.5, 1) * 30
    z, before = z.float().double(), tuple(part.float().double() for part in before)
    rounded.cell.float()
    given = (z.float(), tuple(part.float() for part in before))
    approximate = rounded.cell.linearise(steps(rounded.cell, *given))
    cotangent = vectors(exact)
    dz, _ = exact.cell.linearise(steps(exact.cell, z, before)).pull(0, cotangent)
    dz32, _ = approximate.pull(0, tuple(part.float() for part in cotangent))
    assert dz.abs().min() < 1e-9
    ratio = dz32.double() / dz
    assert float((ratio - 1).abs().median()) < 1e-5
