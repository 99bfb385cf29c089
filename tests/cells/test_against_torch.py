"""PyTorch's recurrent modules, weights packed its way, against the cells, in float64."""

from __future__ import annotations

import pytest
import torch
from equations import TORCH
from torch import Tensor, nn

from rnndiag.cells.base import Cell, as_array
from rnndiag.cells.gru import GRU
from rnndiag.cells.lstm import LSTM
from rnndiag.cells.simple_rnn import SimpleRNN
from rnndiag.records import LayerSpec
from rnndiag.recurrence.unrolling import unroll

STEPS, BATCH, INPUTS, UNITS = 7, 4, 3, 5


def cell_of(cls: type[Cell], module: nn.Module, **config: str) -> Cell:
    """The cell of a module's parameters, in the order in which PyTorch lists them."""
    for parameter in module.parameters():
        # To few binary digits: then the sum of the biases is exact in float32.
        parameter.data = (parameter.data * 1024).round() / 1024
    arrays = tuple(as_array(parameter) for parameter in module.parameters())
    spec = LayerSpec(
        name="rnn", kind="x", config=config, writer=TORCH, weights=arrays, packing="torch"
    )
    return cls.from_spec(spec).double()


def check(cell: Cell, module: nn.RNNBase) -> None:
    """Outputs and last states from a state that is not zero."""
    x = torch.randn(STEPS, BATCH, INPUTS, dtype=torch.float64)
    state = tuple(torch.randn_like(part) for part in cell.zero_state(BATCH))
    given = tuple(part.unsqueeze(0) for part in state)
    output, last = module.double()(x, given if len(given) > 1 else given[0])
    run = unroll(cell, x, state, None)
    torch.testing.assert_close(run.h, output, rtol=0, atol=1e-14)
    ends: tuple[Tensor, ...] = last if isinstance(last, tuple) else (last,)
    for mine, theirs in zip(run.last, ends, strict=True):
        torch.testing.assert_close(mine, theirs[0], rtol=0, atol=1e-14)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("projection", [0, 2])
@pytest.mark.parametrize("bias", [True, False])
def test_lstm(bias: bool, projection: int) -> None:
    module = nn.LSTM(INPUTS, UNITS, bias=bias, proj_size=projection)
    cell = cell_of(LSTM, module)
    assert cell.hidden_size == (projection or UNITS)
    assert cell.has_bias is bias
    check(cell, module)


@pytest.mark.parametrize("bias", [True, False])
def test_gru(bias: bool) -> None:
    module = nn.GRU(INPUTS, UNITS, bias=bias)
    check(cell_of(GRU, module), module)


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize("bias", [True, False])
def test_rnn(bias: bool, nonlinearity: str) -> None:
    module = nn.RNN(INPUTS, UNITS, bias=bias, nonlinearity=nonlinearity)
    check(cell_of(SimpleRNN, module, activation=nonlinearity), module)


@pytest.mark.parametrize(
    ("cls", "module"),
    [(LSTM, nn.LSTMCell), (GRU, nn.GRUCell), (SimpleRNN, nn.RNNCell)],
    ids=lambda value: value.__name__,
)
def test_cells_of_one_step(cls: type[Cell], module: type[nn.RNNCellBase]) -> None:
    theirs = module(INPUTS, UNITS)
    cell = cell_of(cls, theirs)
    x = torch.randn(BATCH, INPUTS, dtype=torch.float64)
    state = tuple(torch.randn_like(part) for part in cell.zero_state(BATCH))
    after = theirs.double()(x, state if len(state) > 1 else state[0])
    mine = cell.step(cell.project(x), state)
    for a, b in zip(mine, after if isinstance(after, tuple) else (after,), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-14)
