"""The convolutional LSTM against its equations written out, with autograd in float64."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from equations import KERAS_3
from torch import Tensor
from trajectories import after, steps, whole

from rnndiag.activations import UnknownActivation
from rnndiag.cells.base import UnfitWeights
from rnndiag.cells.conv_lstm import ConvLSTM, ConvLSTM2D
from rnndiag.convolutions import UnknownGeometry
from rnndiag.records import Array, LayerSpec, Writer
from rnndiag.recurrence.arriving import Losses
from rnndiag.recurrence.journal import Journal

STEPS, BATCH, ROWS, COLUMNS, CHANNELS, FILTERS = 4, 2, 5, 4, 3, 2
POSITIONS = ROWS * COLUMNS


def arrays(*size: int, seed: int = 0) -> tuple[Array, Array, Array]:
    """Kernel, recurrent kernel and bias as Keras stores them."""
    rng = np.random.default_rng(seed)
    shapes = (*size, CHANNELS, 4 * FILTERS), (*size, FILTERS, 4 * FILTERS), (4 * FILTERS,)
    kernel, recurrent, bias = (rng.normal(0, 0.4, shape).astype(np.float32) for shape in shapes)
    return kernel, recurrent, bias


def spec(*weights: Array, kind: str = "ConvLSTM2D", **config: Any) -> LayerSpec:
    own = {"padding": "same", **config}
    return LayerSpec(name="conv", kind=kind, config=own, writer=KERAS_3, weights=weights)


def made(*weights: Array, **config: Any) -> tuple[ConvLSTM, Tensor]:
    """The cell in float64, and images (T, B, rows, columns, channels)."""
    x = normal(STEPS, BATCH, ROWS, COLUMNS, CHANNELS)
    return ConvLSTM2D.from_spec(spec(*weights, **config)).over(x).double(), x


def normal(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_theano_turns_both_kernels_around() -> None:
    """As Keras 2.0.9 on Theano 1.0.4 computes it."""
    kernel, recurrent, bias = arrays(3, 3)
    plain, x = made(kernel, recurrent, bias)
    theano = Writer(framework="keras", version="2.0.9", backend="theano")
    turned = (np.flip(own, (0, 1)) for own in (kernel, recurrent))
    cell = ConvLSTM2D.from_spec(replace(spec(*turned, bias), writer=theano)).over(x).double()
    h = normal(BATCH, POSITIONS * FILTERS)
    assert torch.equal(cell.project(x), plain.project(x))
    assert torch.equal(cell.recur(h), plain.recur(h))


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_theanos_even_windows_are_refused(padding: str) -> None:
    theano = Writer(framework="keras", version="2.0.9", backend="theano")
    with pytest.raises(UnknownGeometry, match="in its own way"):
        ConvLSTM2D.from_spec(replace(spec(*arrays(2, 3), padding=padding), writer=theano))


# ---------------------------------------------------------------- the equations written out


def correlate(x: Tensor, kernel: Array) -> Tensor:
    """(B, rows, columns, C) under ``same`` padding: one product for each place of the window."""
    down, right = kernel.shape[0], kernel.shape[1]
    padded = x.new_zeros(len(x), ROWS + down - 1, COLUMNS + right - 1, x.shape[-1])
    top, left = (down - 1) // 2, (right - 1) // 2
    padded[:, top : top + ROWS, left : left + COLUMNS] = x
    places = product(range(down), range(right))
    return sum(
        padded[:, i : i + ROWS, j : j + COLUMNS] @ torch.from_numpy(kernel[i, j]).double()
        for i, j in places
    )


@dataclass(frozen=True)
class Reference:
    """Every h and c, and two more of each c: what the next step and what h takes of it."""

    h: list[Tensor]
    c: list[Tensor]
    carried: list[Tensor]


def reference(x: Tensor, kernel: Array, recurrent: Array, bias: Array) -> Reference:
    h = x.new_zeros(BATCH, ROWS, COLUMNS, FILTERS).requires_grad_()
    c = torch.zeros_like(h)
    found = Reference([], [], [])
    for step in x:
        z = correlate(step, kernel) + correlate(h, recurrent) + torch.from_numpy(bias).double()
        i, f, g, o = (z[..., k * FILTERS : (k + 1) * FILTERS] for k in range(4))
        both = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        c = both.clone()
        h = torch.sigmoid(o) * torch.tanh(both)
        for kept, part in zip((found.h, found.c, found.carried), (h, both, c), strict=True):
            part.retain_grad()
            kept.append(part)
    return found


def flat(parts: list[Tensor]) -> Tensor:
    return torch.stack(parts).flatten(2)


def gradients(parts: list[Tensor]) -> Tensor:
    return flat([torch.zeros_like(part) if part.grad is None else part.grad for part in parts])


@pytest.mark.parametrize("size", [(3, 3), (2, 3), (1, 1), (4, 2)], ids=str)
def test_states_and_total_gradients(size: tuple[int, int]) -> None:
    weights = arrays(*size)
    cell, x = made(*weights)
    wanted = reference(x, *weights)
    weighed = normal(STEPS, BATCH, POSITIONS * FILTERS, seed=2)
    (flat(wanted.h) * weighed).sin().sum().backward()
    journal, ear = Journal(cell, None), Losses(in_full=True)
    journal.listen(ear)
    h, _ = journal.run_over(x, cell.zero_state(BATCH))
    (h * weighed).sin().sum().backward()
    run = journal.run
    totals = ear.states(run)
    shown = cell.hidden_cotangent(whole(run), totals)
    pairs = {
        "h": (run.h, flat(wanted.h)),
        "c": (after(run)[1], flat(wanted.c)),
        "dL/dh": (totals[0], gradients(wanted.h)),
        "dL/dc without its way through h": (totals[1], gradients(wanted.carried)),
        "dL/dc": (shown[1], gradients(wanted.c)),
    }
    for name, (mine, theirs) in pairs.items():
        torch.testing.assert_close(mine, theirs, rtol=1e-11, atol=1e-12, msg=name)
    assert float(totals[1].abs().max()) > 0.1


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_pull_and_push_are_adjoint(rank: int) -> None:
    kind = f"ConvLSTM{rank}D"
    weights = arrays(*(3, 2, 4)[:rank])
    cell = registered(kind).from_spec(spec(*weights, kind=kind, strides=2))
    x = normal(STEPS, BATCH, *(7, 6, 5)[:rank], CHANNELS)
    cell = cell.over(x).double()
    assert cell.grid == (4, 3, 3)[:rank]
    width = cell.positions * FILTERS
    before = (normal(STEPS, BATCH, width, seed=2), normal(STEPS, BATCH, width, seed=3))
    jacobian = cell.linearise(steps(cell, cell.project(x), before))
    up = (normal(3, BATCH, width, seed=4), normal(3, BATCH, width, seed=5))
    forth = (normal(3, BATCH, width, seed=6), normal(3, BATCH, width, seed=7))
    _, pulled = jacobian.pull(1, up)
    pushed = jacobian.push(1, forth)
    one, other = (
        sum(float((a * b).sum()) for a, b in zip(*pair, strict=True))
        for pair in ((pulled, forth), (up, pushed))
    )
    assert one == pytest.approx(other, rel=1e-12)


def registered(kind: str) -> type[ConvLSTM]:
    from rnndiag import cells

    found = cells.by_kind()[kind]
    assert issubclass(found, ConvLSTM)
    return found


def test_parts_add_up_to_what_the_gates_are_of() -> None:
    cell, x = made(*arrays(3, 3))
    state = (normal(STEPS, BATCH, POSITIONS * FILTERS), cell.zero_state(BATCH)[1])
    z = cell.project(x)
    done = steps(cell, z, state)
    (parts,) = cell.parts(done)
    totals = (parts.kernel + parts.recurrent + parts.bias).chunk(4, -1)
    for gate, total in zip(done.gates[:2], totals[:2], strict=True):
        torch.testing.assert_close(torch.sigmoid(total), gate)
    assert parts.bias.shape == (4 * POSITIONS * FILTERS,)


def test_shapes_and_the_way_back() -> None:
    cell, _ = made(*arrays(3, 3))
    assert (cell.input_size, cell.hidden_size, cell.positions) == (CHANNELS, FILTERS, POSITIONS)
    stored = cell.stored()
    assert stored.window == 9
    assert stored.recurrent_kernel.shape == (9 * FILTERS, 4 * FILTERS)
    state = normal(BATCH, ROWS, COLUMNS, FILTERS)
    torch.testing.assert_close(cell.shaped(cell.flattened(state)), state)


def test_channels_that_stand_first_are_the_same_numbers() -> None:
    weights = arrays(3, 2)
    cell, x = made(*weights)
    other = ConvLSTM2D.from_spec(spec(*weights, data_format="channels_first"))
    turned = x.movedim(-1, 2)
    assert other.takes(turned)
    assert other.wanted.startswith("(batch, timesteps, 3,")
    other = other.over(turned).double()
    torch.testing.assert_close(other.project(turned), cell.project(x))
    state = normal(BATCH, FILTERS, ROWS, COLUMNS)
    assert torch.equal(other.flattened(state), cell.flattened(state.movedim(1, -1)))
    assert torch.equal(other.shaped(other.flattened(state)), state)


@pytest.mark.parametrize(
    ("weights", "config", "error", "message"),
    [
        ((), {}, UnfitWeights, "no arrays"),
        (arrays(3, 3)[:1], {}, UnfitWeights, "two kernels"),
        (arrays(3), {}, UnfitWeights, "4 axes"),
        ((arrays(3, 3)[0], arrays(3, 2)[1]), {}, UnfitWeights, "do not have the shapes"),
        ((arrays(3, 3)[0][..., :4], *arrays(3, 3)[1:]), {}, UnfitWeights, "do not have the shapes"),
        ((*arrays(3, 3)[:2], np.zeros(7, np.float32)), {}, UnfitWeights, "bias"),
        (arrays(3, 3), {"kernel_size": [5, 5]}, UnfitWeights, "windows"),
        (arrays(3, 3), {"padding": "causal-ish"}, UnknownGeometry, "causal-ish"),
        (arrays(3, 3), {"strides": [2, 2, 2]}, UnknownGeometry, "2 axes"),
        (arrays(3, 3), {"strides": 0}, UnknownGeometry, "2 axes"),
        (arrays(3, 3), {"data_format": "channels"}, UnknownGeometry, "channels"),
        (arrays(3, 3), {"activation": "softmax"}, UnknownActivation, "all filters"),
    ],
)
def test_what_does_not_fit_is_told(
    weights: tuple[Array, ...], config: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        ConvLSTM2D.from_spec(spec(*weights, **config))


def test_images_smaller_than_a_window_are_not_taken() -> None:
    cell = ConvLSTM2D.from_spec(spec(*arrays(3, 3), padding="valid", dilation_rate=2))
    assert cell.wanted == "(batch, timesteps, 5 or more, 5 or more, 3)"
    assert cell.takes(torch.zeros(2, 3, 5, 5, CHANNELS))
    assert not cell.takes(torch.zeros(2, 3, 4, 5, CHANNELS))
    assert not cell.takes(torch.zeros(2, 3, 5, 5, CHANNELS + 1))
    assert not cell.takes(torch.zeros(2, 3, CHANNELS))
