"""Arrays that are not a cell's are refused in words; what the files leave out is filled in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from equations import KERAS_3, TORCH

from rnndiag.cells.base import Cell, UnfitWeights, as_array
from rnndiag.cells.gru import GRU
from rnndiag.cells.lstm import LSTM
from rnndiag.cells.simple_rnn import SimpleRNN
from rnndiag.records import LayerSpec

D, H = 3, 5


def make(cls: type[Cell], *shapes: tuple[int, ...], packing: Any = "keras", **config: Any) -> Cell:
    arrays = tuple(np.ones(shape, np.float32) for shape in shapes)
    writer = TORCH if packing == "torch" else KERAS_3
    spec = LayerSpec(
        name="rnn", kind=cls.__name__, config=config, writer=writer, weights=arrays, packing=packing
    )
    return cls.from_spec(spec)


@pytest.mark.parametrize(
    ("cls", "shapes"),
    [
        (LSTM, []),
        (LSTM, [(D, 4 * H)]),
        (LSTM, [(4 * H,), (H, 4 * H)]),
        (LSTM, [(D, 3 * H), (H, 3 * H)]),
        (LSTM, [(D, 4 * H), (H, 4 * H), (4 * H + 1,)]),
        (LSTM, [(D, 4 * H), (H, 4 * H), (2, 4 * H)]),
        (LSTM, [(D, 4 * H + 4), (H, 4 * H), (8 * H,)]),
        (LSTM, [(D, 4 * H), (H, 4 * H), (4 * H,), (4 * H,)]),
        (GRU, [(D, 4 * H), (H, 4 * H)]),
        (GRU, [(D, 3 * H), (H, 3 * H), (3, 3 * H)]),
        (GRU, [(D, 3 * H), (H, 3 * H), (3 * H + 3,)]),
        (GRU, [(D, 3 * H), (H, 3 * H), (2, 3 * H + 3)]),
        (SimpleRNN, [(D, H), (H, H + 1)]),
        (SimpleRNN, [(D, H), (H, H), (2 * H,)]),
    ],
)
def test_keras_arrays_of_the_wrong_shape(cls: type[Cell], shapes: list[tuple[int, ...]]) -> None:
    with pytest.raises(UnfitWeights, match=r"shape|arrays|biases|needs"):
        make(cls, *shapes)


@pytest.mark.parametrize(
    ("cls", "shapes"),
    [
        (LSTM, [(4 * H, D), (4 * H, H - 1)]),
        (LSTM, [(4 * H, D), (4 * H, H), (4 * H,), (3 * H,)]),
        (LSTM, [(4 * H, D), (4 * H, 2), (2, H + 1)]),
        (GRU, [(4 * H, D), (4 * H, H)]),
        (GRU, [(3 * H + 1, D), (3 * H + 1, H)]),
        (SimpleRNN, [(H, D), (H + 1, H)]),
        (GRU, [(3 * H, D), (3 * H, H), (3 * H,)]),
        (GRU, [(3 * H, D), (3 * H, 2), (3 * H,), (3 * H,), (2, H)]),
        (SimpleRNN, [(H, D), (H, H), (H,)]),
        (SimpleRNN, [(H, D), (H, H), *[(H,)] * 4]),
    ],
)
def test_torch_arrays_of_the_wrong_shape(cls: type[Cell], shapes: list[tuple[int, ...]]) -> None:
    with pytest.raises(UnfitWeights, match=r"shape|arrays"):
        make(cls, *shapes, packing="torch")


def test_the_message_names_the_array_and_both_shapes() -> None:
    with pytest.raises(UnfitWeights) as caught:
        make(LSTM, (D, 4 * H), (H, 4 * H), (4 * H + 1,))
    assert str(caught.value) == "the bias of this LSTM has shape (21,), not (20,)"


@pytest.mark.parametrize(
    ("bias", "config", "after"),
    [
        ((), {"reset_after": True}, True),
        ((), {"reset_after": False}, False),
        ((), {}, False),
        (((2, 3 * H),), {}, True),
        (((2, 3 * H),), {"reset_after": False}, True),
        (((3 * H,),), {}, False),
        (((6 * H,),), {}, True),
    ],
)
def test_where_the_reset_gate_is(
    bias: tuple[tuple[int, ...], ...], config: dict[str, bool], after: bool
) -> None:
    cell = make(GRU, (D, 3 * H), (H, 3 * H), *bias, **config)
    assert isinstance(cell, GRU)
    assert cell.reset_after is after


@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_of_any_layout_and_width_become_float32_by_columns(order: Any) -> None:
    kernel = np.array(np.arange(D * H, dtype=np.float64).reshape(D, H), order=order)
    arrays = (kernel, np.eye(H, dtype=np.float16))
    spec = LayerSpec(name="rnn", kind="SimpleRNN", config={}, writer=KERAS_3, weights=arrays)
    cell = SimpleRNN.from_spec(spec)
    assert cell.kernel.T.is_contiguous()
    assert cell.double().kernel.T.is_contiguous()
    np.testing.assert_array_equal(as_array(cell.kernel), kernel.astype(np.float32))
    kernel[:] = 0
    assert cell.kernel.any()
