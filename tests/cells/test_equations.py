"""Each cell's step, gates and weights against the equations in numpy and float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from equations import ALL, INPUTS, PLAIN, UNITS, WITHOUT_BIAS, Case, Floats, parts_of
from torch import Tensor
from trajectories import steps

from rnndiag.cells.base import as_array
from rnndiag.cells.gru import GRU
from rnndiag.cells.lstm import LSTM

BATCH = 4


def draw(*widths: int, seed: int = 1) -> tuple[Floats, ...]:
    rng = np.random.default_rng(seed)
    return tuple(rng.standard_normal((BATCH, width)) for width in widths)


def tensors(state: tuple[Floats, ...], dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
    return tuple(torch.from_numpy(part).to(dtype) for part in state)


@pytest.mark.parametrize("case", ALL, ids=str)
def test_step_and_gates_in_float64(case: Case) -> None:
    example = case.make()
    x, *before = draw(INPUTS, *example.widths)
    cell = example.cell.double()
    z = cell.project(torch.from_numpy(x))
    state = tensors(tuple(before))
    got = (*cell.step(z, state), *steps(cell, z, state).gates)
    want = (*example.step(x, tuple(before)), *example.gates(x, tuple(before)))
    for mine, reference in zip(got, want, strict=True):
        np.testing.assert_allclose(as_array(mine), reference, rtol=0, atol=1e-13)


@pytest.mark.parametrize("case", ALL, ids=str)
def test_step_in_float32_is_off_by_rounding_only(case: Case) -> None:
    example = case.make()
    x, *before = draw(INPUTS, *example.widths)
    z = example.cell.project(torch.from_numpy(x).float())
    got = example.cell.step(z, tensors(tuple(before), torch.float32))
    for mine, reference in zip(got, example.step(x, tuple(before)), strict=True):
        np.testing.assert_allclose(as_array(mine), reference, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("case", PLAIN, ids=str)
def test_all_timesteps_at_once_are_one_after_another(case: Case) -> None:
    example = case.make()
    cell = example.cell.double()
    z = torch.randn(6, BATCH, cell.bias.shape[0], dtype=torch.float64)
    before = tuple(torch.randn(6, BATCH, width, dtype=torch.float64) for width in example.widths)
    together = cell.step(z, before)
    for t in range(6):
        alone = cell.step(z[t], tuple(part[t] for part in before))
        for a, b in zip(together, alone, strict=True):
            torch.testing.assert_close(a[t], b, rtol=0, atol=1e-14)


@pytest.mark.parametrize("case", [*PLAIN, *WITHOUT_BIAS], ids=str)
def test_parts_add_up_to_what_the_gates_are_opened_by(case: Case) -> None:
    example = case.make()
    cell = example.cell.double()
    x, *before = draw(INPUTS, *example.widths)
    z, state = cell.project(torch.from_numpy(x)), tensors(tuple(before))
    functions = [cell.recurrent_activation] * len(cell.gates)
    functions[len(cell.gates) - (2 if isinstance(cell, LSTM) else 1)] = cell.activation
    made = steps(cell, z, state)
    parts = parts_of(cell, made)
    totals = (parts.kernel + parts.recurrent + parts.bias).chunk(len(cell.gates), -1)
    for function, total, gate in zip(functions, totals, made.gates, strict=True):
        torch.testing.assert_close(function(total), gate)
    torch.testing.assert_close(parts.kernel, torch.from_numpy(x) @ cell.kernel)
    at_rest = parts_of(cell, steps(cell, z, tuple(torch.zeros_like(part) for part in state)))
    assert not at_rest.recurrent.any()


@pytest.mark.parametrize("case", PLAIN, ids=str)
def test_a_state_of_zeros_fits_and_sizes_are_told(case: Case) -> None:
    example = case.make()
    zero = example.cell.zero_state(BATCH)
    assert [tuple(part.shape) for part in zero] == [(BATCH, width) for width in example.widths]
    assert not any(bool(part.any()) for part in zero)
    assert (example.cell.input_size, example.cell.hidden_size) == (INPUTS, example.widths[0])


@pytest.mark.parametrize("case", [*PLAIN, *WITHOUT_BIAS], ids=str)
def test_stored_weights_are_those_of_the_cell(case: Case) -> None:
    cell = case.make().cell
    stored = cell.stored()
    assert stored.gates == cell.gates
    np.testing.assert_array_equal(stored.kernel, as_array(cell.kernel))
    np.testing.assert_array_equal(stored.recurrent_kernel, as_array(cell.recurrent_kernel))
    assert (stored.bias is not None) is case.bias
    if stored.bias is not None and stored.recurrent_bias is None:
        np.testing.assert_array_equal(stored.bias, as_array(cell.bias))


def test_only_the_candidate_of_a_gru_keeps_a_recurrent_bias() -> None:
    cell = Case(kind="GRU", options={"reset_after": True}).make().cell
    stored = cell.stored()
    assert isinstance(cell, GRU)
    own, bias = as_array(cell.recurrent_bias), as_array(cell.bias)
    gates, candidate = slice(2 * UNITS), slice(2 * UNITS, None)
    assert stored.bias is not None
    assert stored.recurrent_bias is not None
    np.testing.assert_array_equal(stored.bias[gates], bias[gates] + own[gates])
    np.testing.assert_array_equal(stored.bias[candidate], bias[candidate])
    np.testing.assert_array_equal(stored.recurrent_bias[candidate], own[candidate])
    assert not stored.recurrent_bias[gates].any()
