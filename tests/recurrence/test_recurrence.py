"""States and total gradients against float64 autograd over a plain loop."""

from __future__ import annotations

import copy
import gc
import weakref

import pytest
import torch
from equations import PLAIN, Case
from torch import Tensor, nn
from trajectories import after, before, total_gradients, whole

from rnndiag.cells.base import Cell
from rnndiag.cells.linearisation import State
from rnndiag.recurrence.arriving import Losses
from rnndiag.recurrence.journal import Journal
from rnndiag.recurrence.unrolling import unroll

STEPS, BATCH, INPUTS = 7, 4, 3
SOFTMAX = Case(kind="LSTM", phi="softmax")
MASKS = {
    "none": None,
    "right": ["1111111", "1111100", "1000000", "1111110"],
    "left": ["1111111", "0011111", "0000001", "0111111"],
    "holes": ["1010101", "0110110", "1111111", "1001001"],
    "all masked": ["1111111", "0000000", "1101111", "0000000"],
}


def mask_of(name: str) -> Tensor | None:
    rows = MASKS[name]
    return None if rows is None else torch.tensor([[c == "1" for c in row] for row in rows]).T


def normal(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def made(case: Case) -> tuple[Cell, Tensor, State]:
    """A cell in float64, an input and a state to start from."""
    cell = case.make().cell.double()
    initial = tuple(torch.randn_like(part) for part in cell.zero_state(BATCH))
    return cell, normal(STEPS, BATCH, INPUTS), initial


def loop(cell: Cell, x: Tensor, state: State, mask: Tensor | None) -> list[State]:
    """The states after each step, by the cell's equations and nothing else."""
    return loop_over(cell, cell.project(x), state, mask)


def loop_over(cell: Cell, z: Tensor, state: State, mask: Tensor | None) -> list[State]:
    """The same, for the input's projection."""
    states = []
    for t in range(len(z)):
        new = cell.step(z[t], state)
        if mask is not None:
            real = mask[t].to(z.dtype).unsqueeze(-1)
            new = tuple(real * a + (1 - real) * b for a, b in zip(new, state, strict=True))
        states.append(new)
        state = new
    return states


def loss_of(states: list[State], dh: Tensor, last: State) -> Tensor:
    """The loss whose direct gradients are `dh` and `last`."""
    direct = [(h * d).sum() for (h, *_), d in zip(states, dh, strict=True)]
    at_end = [(s * d).sum() for s, d in zip(states[-1], last, strict=True)]
    return torch.stack([*direct, *at_end]).sum()


def by_definition(
    cell: Cell, x: Tensor, states: list[State], mask: Tensor | None, dh: Tensor, last: State
) -> State:
    """(δ, γ) of each step: its state made independent, and the rest of the loop differentiated."""
    rows = []
    for t in range(len(x)):
        leaves = tuple(part.detach().requires_grad_() for part in states[t])
        rest = loop(cell, x[t + 1 :], leaves, None if mask is None else mask[t + 1 :])
        loss = loss_of([leaves, *rest], dh[t:], last)
        found = torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True)
        real = 1.0 if mask is None else mask[t].unsqueeze(-1)
        rows.append(tuple(part * real for part in found))
    return tuple(torch.stack(parts) for parts in zip(*rows, strict=True))


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("case", PLAIN, ids=str)
def test_states(case: Case, name: str) -> None:
    cell, x, initial = made(case)
    run = unroll(cell, x, initial, mask_of(name))
    want = [initial, *loop(cell, x, initial, mask_of(name))]
    for k, (started, left) in enumerate(zip(before(run), after(run), strict=True)):
        states = torch.stack([state[k] for state in want])
        torch.testing.assert_close(started, states[:-1], rtol=0, atol=1e-14)
        torch.testing.assert_close(left, states[1:], rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("case", [*PLAIN, SOFTMAX], ids=str)
def test_total_gradients(case: Case, name: str) -> None:
    cell, x, initial = made(case)
    mask = mask_of(name)
    dh = normal(STEPS, BATCH, cell.hidden_size, seed=1)
    last = tuple(torch.randn_like(part) for part in initial)
    totals = total_gradients(unroll(cell, x, initial, mask), dh, last)

    leaves = [part.clone().requires_grad_() for part in (cell.project(x), *initial)]
    states = loop_over(cell, leaves[0], tuple(leaves[1:]), mask)
    dz, *start = torch.autograd.grad(loss_of(states, dh, last), leaves)
    torch.testing.assert_close(totals.dz, dz, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(totals.initial, tuple(start), rtol=1e-10, atol=1e-12)
    want = by_definition(cell, x, states, mask, dh, last)
    torch.testing.assert_close(totals.states, want, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("case", [*PLAIN, SOFTMAX], ids=str)
def test_autograds_totals_follow_from_them(case: Case) -> None:
    cell, x, initial = made(case)
    dh = normal(STEPS, BATCH, cell.hidden_size, seed=1)
    last = tuple(torch.randn_like(part) for part in initial)
    states = loop(cell, x, tuple(part.clone().requires_grad_() for part in initial), None)
    for part in (part for state in states for part in state):
        part.retain_grad()
    loss_of(states, dh, last).backward()
    want = tuple(torch.stack([part.grad for part in parts]) for parts in zip(*states, strict=True))
    run = unroll(cell, x, initial, None)
    totals = total_gradients(run, dh, last)
    shown = cell.hidden_cotangent(whole(run), totals.states)
    torch.testing.assert_close(shown, want, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("case", PLAIN, ids=str)
def test_the_direct_part_is_what_the_outputs_own_gradient_shows(case: Case) -> None:
    cell, x, initial = made(case)
    journal, ear = Journal(cell, None), Losses(in_full=True)
    journal.listen(ear)
    h, *_ = journal.run_over(x, initial)
    h.retain_grad()
    weighed = normal(*h.shape, seed=1) * torch.arange(STEPS).view(-1, 1, 1)
    (weighed * h).sin().sum().backward()
    direct = ear.direct(journal.run)
    torch.testing.assert_close(direct, h.grad, rtol=1e-10, atol=1e-12)
    assert not torch.allclose(direct, ear.states(journal.run)[0])


@pytest.mark.parametrize("case", PLAIN, ids=str)
def test_float32_is_off_by_rounding_only(case: Case) -> None:
    steps = 100
    exact = case.make(scale=0.5).cell.double()
    rounded = copy.deepcopy(exact).float()
    x, dh = normal(steps, BATCH, INPUTS), normal(steps, BATCH, exact.hidden_size, seed=1)
    found = []
    for cell, dtype in ((exact, torch.float64), (rounded, torch.float32)):
        initial = cell.zero_state(BATCH)
        run = unroll(cell, x.to(dtype), initial, None)
        totals = total_gradients(run, dh.to(dtype), initial)
        found.append((*after(run), *totals.states, totals.dz))
    for want, got in zip(*found, strict=True):
        assert got.dtype == torch.float32
        assert float((got - want).abs().max() / want.abs().max()) < 2e-6


class Sandwich(nn.Module):
    """Linear, recurrence, Linear: what a recurrent layer stands between."""

    def __init__(self, cell: Cell, outputs: int) -> None:
        super().__init__()
        self.before = nn.Linear(2, INPUTS, dtype=torch.float64)
        self.start = nn.Linear(2, sum(p.shape[1] for p in cell.zero_state(1)), dtype=torch.float64)
        self.after = nn.Linear(outputs, 2, dtype=torch.float64)
        self.cell = cell

    def forward(self, x: Tensor, mask: Tensor | None, journal: Journal | None) -> Tensor:
        between = self.before(x)
        widths = [part.shape[1] for part in self.cell.zero_state(1)]
        initial = tuple(self.start(x[0]).split(widths, -1))
        if journal is None:
            states = loop(self.cell, between, initial, mask)
            h, last = torch.stack([state[0] for state in states]), states[-1][1:]
        else:
            h, *last = journal.run_over(between, initial)
        heads = (self.after(h), *last)
        return torch.stack([part.sin().sum() for part in heads]).sum().exp()


@pytest.mark.parametrize("name", ["none", "holes", "all masked"])
@pytest.mark.parametrize("case", PLAIN, ids=str)
def test_a_loss_reaches_through_to_every_other_weight(case: Case, name: str) -> None:
    cell, *_ = made(case)
    network, mask = Sandwich(cell, cell.hidden_size), mask_of(name)
    x, journal, ear = normal(STEPS, BATCH, 2), Journal(cell, mask), Losses(in_full=True)
    journal.listen(ear)
    weights = list(network.parameters())
    with_node, plain = network(x, mask, journal), network(x, mask, None)
    torch.testing.assert_close(with_node, plain)
    got, want = (torch.autograd.grad(value, weights) for value in (with_node, plain))
    torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-12)
    assert all(bool(part.any()) for part in ear.states(journal.run))


def test_a_run_is_freed_as_soon_as_nobody_holds_it() -> None:
    """A journal that holds the node's own output would hold itself, graph and all."""
    cell, x, initial = made(PLAIN[1])
    journal = Journal(cell, None)
    outputs = journal.run_over(x, initial)
    alive = weakref.ref(journal.run)
    gc.disable()
    try:
        del journal, outputs
        assert alive() is None
    finally:
        gc.enable()


def test_blocks_are_longer_where_a_cpus_caches_do_not_count() -> None:
    cell = PLAIN[0].make().cell
    x = torch.zeros(1000, 600, INPUTS)

    def blocks(device: str) -> int:
        own = copy.deepcopy(cell).to(device)
        return len(unroll(own, x.to(device), own.zero_state(600), None).kept)

    # No GPU is asked for here: shapes alone tell how a run is cut.
    assert blocks("meta") < blocks("cpu")
