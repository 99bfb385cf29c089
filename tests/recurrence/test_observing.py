"""What units and gates do, summed up block by block, against the definitions in numpy."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import fields

import numpy as np
import pytest
import torch
from equations import KERAS_3, PLAIN, Case, parts_of
from layer_runs import summed_up
from torch import Tensor
from trajectories import steps

from rnndiag.cells.base import Cell, Steps, as_array
from rnndiag.cells.conv_lstm import ConvLSTM2D
from rnndiag.cells.linearisation import State
from rnndiag.records import Activity, Budget, LayerArrays, LayerSpec
from rnndiag.recurrence import unrolling
from rnndiag.recurrence.journal import Journal
from rnndiag.recurrence.observing import Observer, observe
from rnndiag.recurrence.unrolling import Block, choose, join, stack, unroll

STEPS, BATCH, INPUTS = 17, 4, 3
LENGTHS = (1, 5, 16, 17, 100)
"""Timesteps of a block; but for the first and the last two, the last block is shorter."""
CASES = (*PLAIN, Case(kind="SimpleRNN", phi="relu"), Case(kind="LSTM", bias=False))
TIGHT = {"rtol": 1e-12, "atol": 1e-14}
LOOSE = {"rtol": 2e-5, "atol": 2e-6}
"""What float32 leaves of states that depend on one another."""


def mask_of(name: str) -> Tensor | None:
    """(T, B) bool."""
    if name == "none":
        return None
    mask = torch.zeros(STEPS, BATCH, dtype=torch.bool)
    if name == "ends":
        for sample, (start, stop) in enumerate([(0, 17), (0, 9), (3, 4), (0, 0)]):
            mask[start:stop, sample] = True
    if name == "rows":
        # Whole blocks are masked, the first one among them.
        mask[6:9] = mask[16] = torch.tensor([True, False, True, True])
    return mask


MASKS = ("none", "ends", "rows", "all masked")


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def made(case: Case) -> tuple[Cell, Tensor, State]:
    """A cell in float64 with gates that saturate now and then, its input and a state."""
    cell = case.make(scale=1.5 if case.phi == "tanh" else 0.3).cell.double()
    initial = tuple(drawn(*part.shape, seed=1) for part in cell.zero_state(BATCH))
    return cell, 2 * drawn(STEPS, BATCH, INPUTS), initial


def images() -> tuple[Cell, Tensor, State]:
    """The same of a convolution."""
    rng = np.random.default_rng(0)
    shapes = (2, 2, 2, 12), (2, 2, 3, 12), (12,)
    weights = tuple(rng.normal(0, 0.8, shape).astype(np.float32) for shape in shapes)
    config = {"padding": "same"}
    spec = LayerSpec(name="c", kind="ConvLSTM2D", config=config, writer=KERAS_3, weights=weights)
    x = 2 * drawn(STEPS, BATCH, 3, 4, 2)
    cell = ConvLSTM2D.from_spec(spec).over(x).double()
    return cell, x, tuple(drawn(*part.shape, seed=1) for part in cell.zero_state(BATCH))


# ---------------------------------------------------------------- the reference


def in_one_piece(cell: Cell, x: Tensor, state: State, mask: Tensor | None) -> tuple[Steps, State]:
    """All steps, by the cell's own equation, and what each of them computed."""
    z, before = cell.project(x), []
    for t in range(len(z)):
        before.append(state)
        new = cell.step(z[t], state)
        state = new if mask is None else choose(mask[t], new, state)
    whole = steps(cell, z, stack(before))
    return whole, cell.advance(whole.gates, whole.before)


def definition(cell: Cell, done: Steps, states: State, mask: Tensor | None) -> Activity:
    """The activity of the steps, which leave `states` (T, B, H)."""
    h, *c = map(as_array, states)
    gates = dict(zip(cell.gates, map(as_array, done.gates), strict=True))
    arrays = LayerArrays(
        h=h, c=c[0] if c else None, gate_values=gates, dL_dh=h, dL_dc=None, direct=h
    )
    real = np.ones(h.shape[:2], bool) if mask is None else as_array(mask)
    return summed_up(arrays, real, budgets(cell, done, real), cell.positions)


def budgets(cell: Cell, done: Steps, real: np.ndarray) -> dict[str, Budget]:
    parts, count = parts_of(cell, done), len(cell.gates)
    means = {}
    for name in ("kernel", "recurrent", "bias"):
        part = np.broadcast_to(as_array(getattr(parts, name)), done.z.shape)[real]
        by_gate = np.split(np.square(part.astype(np.float64)), count, -1)
        means[name] = [float(own.sum() / max(1, own.size)) for own in by_gate]
    return {
        gate: Budget(**{name: mean[place] for name, mean in means.items()})
        for place, gate in enumerate(cell.gates)
    }


def agree(found: Activity, want: Activity, **limits: float) -> None:
    """All numbers do; the names stand in the same order."""
    _same_fields(found.units, want.units, **limits)
    for name in ("gates", "preactivations"):
        mine, theirs = getattr(found, name), getattr(want, name)
        assert list(mine) == list(theirs)
        for own, other in zip(mine.values(), theirs.values(), strict=True):
            _same_fields(own, other, **limits)


def _same_fields(found: object, want: object, **limits: float) -> None:
    for field in fields(want):  # type: ignore[arg-type]
        mine, theirs = getattr(found, field.name), getattr(want, field.name)
        assert type(mine) is type(theirs), field.name
        assert np.asarray(mine).dtype == np.asarray(theirs).dtype, field.name
        np.testing.assert_allclose(mine, theirs, err_msg=field.name, **limits)


# ---------------------------------------------------------------- runs


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("made_", [*(str(case) for case in CASES), "images"])
def test_a_run_in_blocks(made_: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    named = {str(case): case for case in CASES}
    cell, x, initial = images() if made_ == "images" else made(named[made_])
    mask = mask_of(name)
    want = definition(cell, *in_one_piece(cell, x, initial, mask), mask)
    for length in LENGTHS:
        monkeypatch.setattr(unrolling, "SHORTEST", length)
        monkeypatch.setattr(unrolling, "LONGEST", length)
        observer = Observer(cell)
        run = unroll(cell, x, initial, mask, Journal(cell, mask, observer))
        assert len(run.kept) == -(-STEPS // length)
        agree(observer.activity(), want, **TIGHT)
        agree(observe(run), want, **TIGHT)


def test_an_observer_keeps_no_array_of_a_run() -> None:
    cell, x, initial = made(PLAIN[1])
    observer = Observer(cell)
    unroll(cell, x, initial, None, Journal(cell, None, observer))
    assert observer._room._memory == {}


@pytest.mark.parametrize("name", ["none", "ends"])
@pytest.mark.parametrize("case", PLAIN, ids=str)
def test_a_run_in_float32(case: Case, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unrolling, "SHORTEST", 5)
    monkeypatch.setattr(unrolling, "BLOCK", 1)
    cell, x, initial = made(case)
    mask = mask_of(name)
    want = definition(cell, *in_one_piece(cell, x, initial, mask), mask)
    narrow = copy.deepcopy(cell).float()
    run = unroll(narrow, x.float(), tuple(part.float() for part in initial), mask)
    agree(observe(run), want, **LOOSE)


def test_the_examples_have_all_that_is_counted() -> None:
    """Else a share that is always 0 would do."""
    plain, rectified, gated = (
        observe(unroll(*made(case), None)) for case in (CASES[0], CASES[5], CASES[1])
    )
    assert 0 < plain.units.extreme_share.mean() < 1
    assert 0 < rectified.units.off_share.mean() < 1
    for gate in gated.gates.values():
        assert 0 < gate.low_share.mean() < 1
        assert 0 < gate.high_share.mean() < 1


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_what_a_mask_hides_may_be_anything(value: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unrolling, "LONGEST", 5)
    cell, x, initial = made(PLAIN[1])
    mask = mask_of("ends")
    assert mask is not None
    clean = observe(unroll(cell, x, initial, mask))
    x[~mask] = value
    agree(observe(unroll(cell, x, initial, mask)), clean, rtol=0, atol=0)


def test_an_observer_that_saw_nothing_has_zeros() -> None:
    cell, x, initial = made(PLAIN[2])
    masked = torch.zeros(STEPS, BATCH, dtype=torch.bool)
    want = definition(cell, *in_one_piece(cell, x, initial, masked), masked)
    agree(Observer(cell).activity(), want, rtol=0, atol=0)
    assert want.units.covariance.shape == (cell.hidden_size, cell.hidden_size)


# ---------------------------------------------------------------- blocks made up of states


def blocks(
    states: Sequence[State], case: Case = PLAIN[0], mask: Tensor | None = None, **given: Tensor
) -> tuple[Cell, Iterable[Block]]:
    """Blocks whose steps leave the `states`, (n, B, H) each; all else is 0 if not `given`."""
    cell = case.make().cell.to(states[0][0].dtype)
    found, start = [], 0
    for after in states:
        n, batch, _ = after[0].shape
        none = after[0].new_zeros(n, batch, len(cell.bias))
        gates = given.get("gates", none).chunk(len(cell.gates), -1)
        made_ = Steps(z=given.get("z", none), r=given.get("r", none), gates=gates, before=after)
        own = None if mask is None else mask[start : start + n]
        found.append(Block(cell=cell, start=start, steps=made_, after=after, mask=own))
        start += n
    return cell, found


def seen(cell: Cell, parts: Iterable[Block]) -> Activity:
    observer = Observer(cell)
    for part in parts:
        observer.see(part)
    return observer.activity()


def want_of(cell: Cell, parts: Iterable[Block], mask: Tensor | None = None) -> Activity:
    parts = list(parts)
    done = Steps(
        z=torch.cat([part.steps.z for part in parts]),
        r=torch.cat([part.steps.r for part in parts]),
        gates=join(part.steps.gates for part in parts),
        before=join(part.steps.before for part in parts),
    )
    return definition(cell, done, join(part.after for part in parts), mask)


LEVELS = torch.tensor([0.9, -0.9, 0.9, 0.06, 0.0])
SPREADS = torch.tensor([1e-7, 1e-7, 0.0, 1e-8, 1e-12])


@pytest.mark.parametrize("sizes", [(400,), (100, 7, 293)])
def test_the_spread_of_units_that_hardly_move(sizes: tuple[int, ...]) -> None:
    signs = torch.where(drawn(400, 8, 1) > 0, 1.0, -1.0)
    h = (LEVELS + SPREADS * signs).float()
    cell, parts = blocks([(part,) for part in h.split(sizes)])
    found, want = seen(cell, parts).units, want_of(cell, parts).units
    spread = want.covariance.diagonal() ** 0.5
    assert spread == pytest.approx(SPREADS.double().numpy(), rel=0.3)
    mine = found.covariance.diagonal().clip(min=0) ** 0.5
    np.testing.assert_allclose(mine[[0, 1, 3, 4]], spread[[0, 1, 3, 4]], rtol=1e-3)
    assert mine[2] < 1e-9
    np.testing.assert_allclose(found.mean, want.mean, rtol=1e-7, atol=1e-17)


def test_gates_that_are_hardly_ever_shut() -> None:
    """Else a timescale of 10,000 steps would be one of 30,000."""
    values = (1 - 1e-4 * (1 + 0.1 * drawn(256, 32, 20))).float()
    cell, parts = blocks(
        [(torch.zeros(256, 32, 5), torch.zeros(256, 32, 5))], PLAIN[1], gates=values
    )
    shut = 1 - values.double().mean((0, 1)).view(4, 5).numpy()
    for gate, want in zip(seen(cell, parts).gates.values(), shut, strict=True):
        np.testing.assert_allclose(1 - gate.mean, want, rtol=0.01)


def test_units_that_come_to_rest_far_from_where_they_began() -> None:
    h = torch.full((400, 8, 5), 0.9)
    h[:20] = drawn(20, 8, 5).float() - 3
    cell, parts = blocks([(part,) for part in h.split((20, 380))])
    want = want_of(cell, parts)
    agree(seen(cell, parts), want, rtol=1e-5, atol=1e-7)


def test_sums_beyond_float32() -> None:
    cell, parts = blocks([(torch.full((30, 8, 5), 3e38),)])
    found = seen(cell, parts).units
    np.testing.assert_allclose(found.mean, 3e38, rtol=1e-6)
    np.testing.assert_allclose(found.mean_abs, 3e38, rtol=1e-6)


@pytest.mark.parametrize("size", [1e-25, 1e-18, 1.0, 1e18, 1e25])
def test_squares_beyond_float32(size: float) -> None:
    h = (size * drawn(30, 8, 5)).float()
    quiet = (drawn(30, 8, 5, seed=1) * min(1.0, size)).float()
    cell, parts = blocks([(quiet,), (h,), (quiet,)], z=h, r=h)
    found, want = seen(cell, parts), want_of(cell, parts)
    np.testing.assert_allclose(found.units.mean_abs, want.units.mean_abs, rtol=1e-6)
    if size >= 1:
        limit = 1e-6 * want.units.covariance.max()
        np.testing.assert_allclose(found.units.covariance, want.units.covariance, atol=limit)
        assert found.preactivations["hidden"].kernel == pytest.approx(
            want.preactivations["hidden"].kernel, rel=1e-5
        )
    assert np.isfinite(found.units.covariance).all()


def test_the_cuts_themselves_are_not_beyond() -> None:
    """0.1, 0.9 and 0.99 as float32 must not fall on the other side of the float64 cuts."""
    h = torch.full((3, 2, 5), 0.99)
    gates = torch.tensor([0.1] * 5 + [0.9] * 5 + [-0.9] * 5 + [0.9] * 5).expand(3, 2, 20)
    cell, parts = blocks([(h, h)], PLAIN[1], gates=gates)
    found = seen(cell, parts)
    assert found.units.extreme_share.tolist() == [0] * 5
    for gate in found.gates.values():
        assert gate.low_share.tolist() == gate.high_share.tolist() == [0] * 5


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_broken_values_are_counted_where_they_are_not_masked(value: float) -> None:
    h, c = drawn(12, 4, 5), drawn(12, 4, 5, seed=1)
    mask = torch.ones(12, 4, dtype=torch.bool)
    mask[7:, 2] = False
    h[8, 2] = c[9, 2] = value
    halves = list(zip(h.split(6), c.split(6), strict=True))
    cell, parts = blocks(halves, PLAIN[1], mask)
    found = seen(cell, parts)
    assert found.units.non_finite == 0
    agree(found, want_of(cell, parts, mask), **TIGHT)
    h[1, 2, 3] = h[10, 0, 0] = c[11, 1, 4] = value
    broken = seen(cell, parts).units
    assert broken.non_finite == want_of(cell, parts, mask).units.non_finite == 3


def test_infinities_of_both_signs_do_not_cancel() -> None:
    h = drawn(6, 4, 5)
    h[2, 0, 1], h[3, 0, 1] = np.inf, -np.inf
    cell, parts = blocks([(h,)])
    assert seen(cell, parts).units.non_finite == 2


def test_large_values_that_are_finite_are_no_broken_ones() -> None:
    cell, parts = blocks([(torch.full((6, 4, 5), 3e38),)])
    assert seen(cell, parts).units.non_finite == 0
