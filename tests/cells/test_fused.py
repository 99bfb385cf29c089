"""torch's kernels for many timesteps, in float32, against the cells' equations in float64."""

from __future__ import annotations

import copy
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from equations import PLAIN, Case
from torch import Tensor
from trajectories import after, whole

from rnndiag.cells import _fused
from rnndiag.cells.base import Cell
from rnndiag.cells.linearisation import State
from rnndiag.recurrence.unrolling import unroll

STEPS, BATCH, INPUTS = 40, 4, 3
FUSED = (
    Case(kind="LSTM"),
    Case(kind="LSTM", bias=False),
    Case(kind="GRU", options={"reset_after": True}),
    Case(kind="GRU", bias=False, options={"reset_after": True}),
    Case(kind="SimpleRNN"),
    Case(kind="SimpleRNN", bias=False),
)
NOT_FUSED = (
    Case(kind="LSTM", phi="softsign"),
    Case(kind="LSTM", sigma="hard_sigmoid of Keras 3"),
    Case(kind="LSTM", options={"projection": True}),
    Case(kind="GRU", options={"reset_after": False}),
    Case(kind="SimpleRNN", phi="relu"),
)
CLOSE = {"rtol": 2e-5, "atol": 2e-6}


def made(case: Case, batch: int = BATCH) -> tuple[Cell, Tensor, State]:
    """A cell in float32, an input and a state to start from."""
    cell = case.make(scale=0.5).cell
    torch.manual_seed(0)
    initial = tuple(torch.randn_like(part) for part in cell.zero_state(batch))
    return cell, torch.randn(STEPS, batch, INPUTS), initial


def in_float64(cell: Cell, x: Tensor, initial: State) -> tuple[Cell, Tensor, State]:
    return copy.deepcopy(cell).double(), x.double(), tuple(part.double() for part in initial)


@pytest.mark.parametrize("case", FUSED, ids=str)
def test_they_are_the_cells_own_steps(case: Case) -> None:
    cell, x, initial = made(case)
    wide, x_wide, state = in_float64(cell, x, initial)
    h = cell.hidden_states(x, initial)
    assert h is not None
    for t, z in enumerate(wide.project(x_wide)):
        state = wide.step(z, state)
        torch.testing.assert_close(h[t].double(), state[0], **CLOSE)


@pytest.mark.parametrize("case", FUSED, ids=str)
def test_all_that_the_steps_computed_follows_from_them(case: Case) -> None:
    cell, x, initial = made(case)
    run, wide = unroll(cell, x, initial, None), unroll(*in_float64(cell, x, initial), None)
    mine, theirs = whole(run), whole(wide)
    for name in ("z", "r", "gates", "before"):
        own, other = getattr(mine, name), getattr(theirs, name)
        for a, b in zip(own, other, strict=True):
            torch.testing.assert_close(a.double(), b, **CLOSE)
    for a, b in zip(run.last, wide.last, strict=True):
        torch.testing.assert_close(a.double(), b, **CLOSE)


@pytest.mark.parametrize("case", FUSED, ids=str)
def test_masked_steps_are_left_out_among_them(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rnndiag.recurrence.unrolling.LONGEST", 16)
    cell, x, initial = made(case)
    mask = torch.ones(STEPS, BATCH, dtype=torch.bool)
    mask[30:, 1] = mask[35:, 2] = False
    at_once = Mock(wraps=cell.hidden_states)
    monkeypatch.setattr(cell, "hidden_states", at_once)
    run = unroll(cell, x, initial, mask)
    assert len(run.kept) == 3
    assert at_once.call_count == 1
    wide = unroll(*in_float64(cell, x, initial), mask)
    torch.testing.assert_close(run.h.double(), wide.h, **CLOSE)


@pytest.mark.parametrize("case", NOT_FUSED, ids=str)
def test_cells_that_torch_does_not_have_go_step_by_step(case: Case) -> None:
    cell, x, initial = made(case)
    assert cell.hidden_states(x, initial) is None
    run, wide = unroll(cell, x, initial, None), unroll(*in_float64(cell, x, initial), None)
    torch.testing.assert_close(run.h.double(), wide.h, **CLOSE)


def test_long_steps_go_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    cell, x, initial = made(FUSED[0])
    weights = cell.kernel.numel() + cell.recurrent_kernel.numel()
    monkeypatch.setitem(_fused._SHORT, torch.lstm, BATCH * weights - 1)
    assert cell.hidden_states(x, initial) is None
    assert cell.hidden_states(x[:, 1:], tuple(part[1:] for part in initial)) is not None


@pytest.mark.parametrize("case", FUSED, ids=str)
def test_what_a_step_leaves_is_its_own_equation(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that an equation that does not fit the kernel shows in the network's outputs."""
    cell, x, initial = made(case)
    expected = unroll(cell, x, initial, None).h
    told = cell.hidden_states(x, initial)
    assert told is not None
    monkeypatch.setattr(cell, "hidden_states", lambda *_: told + 0.1)
    found = unroll(cell, x, initial, None).h
    torch.testing.assert_close(found[0], expected[0], **CLOSE)
    assert float((found[1:] - expected[1:]).abs().max()) > 1e-3


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("case", FUSED, ids=str)
def test_a_block_that_is_computed_again_is_the_same_to_the_last_bit(
    case: Case, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within torch's reckoning of gradients too, where its kernels round in other ways."""
    monkeypatch.setattr("rnndiag.recurrence.unrolling.LONGEST", 16)
    cell, x, initial = made(case, batch)
    run = unroll(cell, x.requires_grad_(), initial, None)
    assert torch.equal(after(run)[0], run.h)
    assert run.h.requires_grad is False


@pytest.mark.parametrize("case", FUSED, ids=str)
def test_what_the_kernel_gets_lies_in_a_row(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """cuDNN refuses states of another layout, and a network may split them off a wider one."""
    cell, x, initial = made(case)
    wide = [torch.stack((part, part), -1)[..., 0] for part in initial]
    assert not wide[0].is_contiguous()
    seen = []

    def kernel(_: Tensor, state: Any, weights: list[Tensor], *__: Any) -> tuple[Tensor]:
        states = state if isinstance(state, list) else [state]
        seen.extend(part.is_contiguous() for part in (*states, *weights))
        return (x,)

    weights = (cell.kernel.T, cell.recurrent_kernel.T, cell.bias, cell.bias)
    _fused.run(kernel, x, tuple(wide), weights)
    assert seen == [True] * (len(initial) + 4)


def test_every_plain_cell_is_one_or_the_other() -> None:
    kinds = {case.kind for case in PLAIN}
    assert {case.kind for case in FUSED} == {case.kind for case in NOT_FUSED} == kinds


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("case", FUSED[::2], ids=str)
def test_broken_values_stay_broken(case: Case, value: float) -> None:
    cell, x, initial = made(case)
    x[20, 2, 1] = value
    wide = unroll(*in_float64(cell, x, initial), None).h
    run = unroll(cell, x, initial, None).h
    assert torch.equal(run.isnan(), wide.isnan())
    assert run[:20].isfinite().all()
