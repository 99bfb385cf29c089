"""The measuring core under uneven blocks, little room, copies and long lives."""

from __future__ import annotations

import copy
import gc
import weakref

import numpy as np
import pytest
import torch
from torch import Tensor
from trajectories import total_gradients

from rnndiag.activations import activation
from rnndiag.cells.base import Cell
from rnndiag.cells.gru import GRU
from rnndiag.cells.lstm import LSTM
from rnndiag.cells.simple_rnn import SimpleRNN
from rnndiag.records import Writer
from rnndiag.recurrence import unrolling
from rnndiag.recurrence.following import pulse_gradients, tangent_growth
from rnndiag.recurrence.observing import observe
from rnndiag.recurrence.unrolling import Trajectory, unroll

_KERAS = Writer(framework="keras")
_KINDS = ("simple_rnn", "gru", "gru_before", "lstm", "projected")
_GATES = {"simple_rnn": 1, "gru": 3, "gru_before": 3, "lstm": 4, "projected": 4}


def _cell(kind: str, units: int = 5, features: int = 3, function: str = "tanh") -> Cell:
    rng = np.random.default_rng(0)
    width = 2 if kind == "projected" else units
    columns = _GATES[kind] * units

    def weights(*shape: int) -> np.ndarray:
        return rng.normal(0, 0.5 / units**0.5, shape).astype(np.float32)

    arrays = weights(features, columns), weights(width, columns), weights(columns)
    functions = activation(function, _KERAS), activation("sigmoid", _KERAS)
    if kind == "simple_rnn":
        return SimpleRNN(*arrays, functions[:1])
    if kind == "gru":
        return GRU(*arrays, functions, weights(columns), reset_after=True)
    if kind == "gru_before":
        return GRU(*arrays, functions, reset_after=False)
    projection = weights(units, width) if kind == "projected" else None
    return LSTM(*arrays, functions, projection)


def _input(steps: int = 70, samples: int = 3, features: int = 3) -> tuple[Tensor, Tensor]:
    """An input and a mask that leaves the last sample nothing, and ends the first early."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(steps, samples, features, generator=generator)
    mask = torch.rand(steps, samples, generator=generator) > 0.3
    mask[steps // 2 :, 0] = False
    mask[:, -1] = False
    return x, mask


def _all_of(run: Trajectory) -> list[Tensor]:
    """Everything that is found along a run."""
    generator = torch.Generator().manual_seed(2)
    assert run.mask is not None
    steps = torch.arange(len(run)).unsqueeze(-1)
    at = torch.where(run.mask, steps, -1).amax(0)
    last = tuple(torch.randn(part.shape, generator=generator) for part in run.last)
    pulses = tuple(torch.stack((part, -part.flip(-1))) for part in last)
    dh = torch.randn(run.h.shape, generator=generator)
    totals = total_gradients(run, dh, last)
    sent = pulse_gradients(run, at, pulses, in_full=True)
    assert sent.first is not None
    growth = tangent_growth(run, last).nan_to_num()
    found = [run.h, *totals.states, totals.direct, totals.dz, *totals.initial]
    return [*found, sent.log_norm, *sent.first, growth]


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("kept", [0, 3000])
def test_what_was_not_kept_is_the_same_to_the_last_bit(
    kind: str, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unrolling, "LONGEST", 16)
    cell, (x, mask) = _cell(kind), _input()
    expected = _all_of(unroll(cell, x, cell.zero_state(3), mask))
    monkeypatch.setattr(unrolling, "KEPT", kept)
    run = unroll(cell, x, cell.zero_state(3), mask)
    assert len(run.kept) == 5
    assert run.kept[0] is None
    assert all(map(torch.equal, _all_of(run), expected))


@pytest.mark.parametrize("kind", _KINDS)
def test_blocks_change_no_more_than_rounding(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cell, (x, mask) = _cell(kind), _input()
    whole = _all_of(unroll(cell, x, cell.zero_state(3), mask))
    monkeypatch.setattr(unrolling, "LONGEST", 16)
    for own, expected in zip(
        _all_of(unroll(cell, x, cell.zero_state(3), mask)), whole, strict=True
    ):
        torch.testing.assert_close(own, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("function", ["tanh", "relu"])
def test_sums_of_blocks_are_those_of_all_steps(
    kind: str, function: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unrolling, "LONGEST", 16)
    cell, (x, mask) = _cell(kind, function=function), _input()
    run = unroll(cell, x, cell.zero_state(3), mask)
    seen = observe(run)
    h = run.h[mask].double().numpy()
    assert seen.units.steps == len(h)
    np.testing.assert_allclose(seen.units.mean, h.mean(0), rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(seen.units.covariance, np.cov(h.T, bias=True), rtol=1e-4, atol=1e-8)
    np.testing.assert_array_equal(seen.units.off_share, (h == 0).mean(0))
    for place, gate in enumerate(cell.gates):
        values = torch.cat([block.steps.gates[place] for block in run.blocks()])[mask].double()
        np.testing.assert_allclose(seen.gates[gate].mean, values.mean(0), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("kind", _KINDS[:4])
def test_a_used_cell_can_be_copied_and_made_double(kind: str) -> None:
    """Wide enough that the products are oneDNN's, where torch has it."""
    cell, x = _cell(kind, units=200, features=150), torch.randn(5, 32, 150)
    h = unroll(cell, x, cell.zero_state(32), None).h
    other = copy.deepcopy(cell)
    assert torch.equal(unroll(other, x, other.zero_state(32), None).h, h)
    other.double()
    wide = unroll(other, x.double(), other.zero_state(32), None).h
    torch.testing.assert_close(wide.float(), h, rtol=1e-4, atol=1e-5)
    assert torch.equal(unroll(cell, x, cell.zero_state(32), None).h, h)


def test_a_used_cell_takes_other_weights() -> None:
    cell, x = _cell("lstm", units=200, features=150), torch.randn(5, 32, 150)
    unroll(cell, x, cell.zero_state(32), None)
    halved = {name: part / 2 for name, part in cell.state_dict().items()}
    cell.load_state_dict(halved)
    other = _cell("lstm", units=200, features=150)
    other.load_state_dict(halved)
    run, fresh = (unroll(own, x, own.zero_state(32), None) for own in (cell, other))
    assert torch.equal(run.h, fresh.h)


def test_a_run_is_freed_as_soon_as_it_is_let_go() -> None:
    cell, (x, mask) = _cell("lstm"), _input()
    gc.disable()
    try:
        run = unroll(cell, x, cell.zero_state(3), mask)
        _all_of(run)
        held = weakref.ref(run)
        del run
        assert held() is None
    finally:
        gc.enable()


def test_wide_cells_without_a_closed_form_have_their_whole_jacobian() -> None:
    """Beyond the size from which oneDNN multiplies, which knows nothing of derivatives."""
    units, batch = 200, 48
    rng = np.random.default_rng(1)
    softmax = activation("softmax", _KERAS)
    kernel = rng.normal(0, 1, (3, 4 * units)).astype(np.float32)
    recurrent = rng.normal(0, 2 / units**0.5, (units, 4 * units)).astype(np.float32)
    cell = LSTM(kernel, recurrent, None, (activation("tanh", _KERAS), softmax))
    x = torch.randn(3, batch, 3, generator=torch.Generator().manual_seed(0))
    pulse = (torch.randn(1, batch, units), torch.zeros(1, batch, units))
    at = torch.full((batch,), 2)
    found = []
    for exact in (False, True):
        own = copy.deepcopy(cell).double() if exact else cell
        dtype = own.kernel.dtype
        start = tuple(part.to(dtype) for part in cell.zero_state(batch))
        run = unroll(own, x.to(dtype), start, None)
        sent = pulse_gradients(run, at, tuple(part.to(dtype) for part in pulse))
        tangent = tangent_growth(run, tuple(part[0].to(dtype) for part in (pulse[0], pulse[0])))
        found.append((sent.log_norm, tangent))
    for rounded, exact_ in zip(*found, strict=True):
        torch.testing.assert_close(rounded, exact_, rtol=0, atol=1e-4)


def test_a_tangent_that_died_shrinks_no_more() -> None:
    kernel, recurrent = np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32)
    bias = np.full(3, -30, np.float32)
    cell = SimpleRNN(kernel, recurrent, bias, (activation("relu", _KERAS),))
    run = unroll(cell, torch.zeros(40, 2, 3), cell.zero_state(2), None)
    growth = tangent_growth(run, (torch.ones(2, 3),))
    assert bool(torch.isneginf(growth).all())


def test_a_pulse_that_is_no_number_stays_none() -> None:
    cell = _cell("lstm")
    run = unroll(cell, torch.randn(40, 2, 3), cell.zero_state(2), None)
    pulse = (torch.ones(1, 2, 5), torch.zeros(1, 2, 5))
    pulse[0][0, 0, 0] = torch.nan
    at = torch.full((2,), 39)
    found = pulse_gradients(run, at, pulse, floor=-1.0).log_norm
    assert bool(found[:, 0, 0].isnan().all())
