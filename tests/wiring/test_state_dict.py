"""Recurrent modules of a state dict against torch.nn itself, through the whole pipeline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from rnndiag import pipeline
from rnndiag.pipeline import Diagnosis
from rnndiag.records import Options

Inspect = Callable[..., Diagnosis]
DATA = Path(__file__).parents[1] / "data" / "torch"
INPUTS, UNITS, BATCH, STEPS = 5, 6, 3, 9


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(1)


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(2))


def assert_output(diagnosis: Diagnosis, expected: Tensor, atol: float = 1e-6) -> None:
    (output,) = diagnosis.run.outputs
    np.testing.assert_allclose(output, expected.detach().numpy(), rtol=0, atol=atol)


# ---------------------------------------------------------------- modules of torch.nn

MODULES = [
    pytest.param(kind, {**sizes, "bias": bias, "bidirectional": both}, id=f"{name}-{bias}-{both}")
    for bias in (True, False)
    for both in (False, True)
    for name, kind, sizes in (
        ("lstm1", nn.LSTM, {"num_layers": 1}),
        ("lstm3", nn.LSTM, {"num_layers": 3}),
        ("projected", nn.LSTM, {"num_layers": 2, "proj_size": 4}),
        ("gru1", nn.GRU, {"num_layers": 1}),
        ("gru2", nn.GRU, {"num_layers": 2}),
        ("tanh2", nn.RNN, {"num_layers": 2}),
        ("relu3", nn.RNN, {"num_layers": 3, "nonlinearity": "relu"}),
    )
]


@pytest.mark.parametrize(("kind", "settings"), MODULES)
def test_a_modules_output(inspect: Inspect, kind: type[nn.RNNBase], settings: Any) -> None:
    module = kind(INPUTS, UNITS, batch_first=True, **settings)
    x = noise(BATCH, STEPS, INPUTS)
    nonlinearity = settings.get("nonlinearity", "tanh")
    done = inspect(module.state_dict(), x, nonlinearity=nonlinearity)
    assert_output(done, module(x)[0])
    directions = 1 + settings["bidirectional"]
    assert [layer.index for layer in done.run.layers] == [
        k for k in range(settings["num_layers"]) for _ in range(directions)
    ]
    assert {layer.direction for layer in done.run.layers} == {"forward", "backward"} - (
        set() if directions == 2 else {"backward"}
    )


@pytest.mark.parametrize(("kind", "settings"), MODULES)
def test_packed_sequences(inspect: Inspect, kind: type[nn.RNNBase], settings: Any) -> None:
    module = kind(INPUTS, UNITS, batch_first=True, **settings)
    lengths = torch.tensor([STEPS, 4, 1])
    x = noise(BATCH, STEPS, INPUTS)
    x[torch.arange(STEPS) >= lengths[:, None]] = 0
    packed = pack_padded_sequence(x, lengths, batch_first=True)
    expected, _ = pad_packed_sequence(module(packed)[0], batch_first=True)
    nonlinearity = settings.get("nonlinearity", "tanh")
    done = inspect(module.state_dict(), x, nonlinearity=nonlinearity)
    assert_output(done, expected)


@pytest.mark.parametrize(
    ("cell", "module", "kind"),
    [
        (nn.LSTMCell, nn.LSTM, "LSTM"),
        (nn.GRUCell, nn.GRU, "GRU"),
        (nn.RNNCell, nn.RNN, "SimpleRNN"),
    ],
)
def test_a_cell_is_a_layer_of_its_own(
    inspect: Inspect, cell: type[nn.RNNCellBase], module: type[nn.RNNBase], kind: str
) -> None:
    single = cell(INPUTS, UNITS)
    tensors = {f"step.{name}": tensor for name, tensor in single.state_dict().items()}
    tensors["out.weight"] = noise(2, UNITS)
    x = noise(BATCH, STEPS, INPUTS)
    done = inspect(tensors, x)
    unrolled = module(INPUTS, UNITS, batch_first=True)
    unrolled.load_state_dict({f"{k}_l0": v for k, v in single.state_dict().items()})
    assert_output(done, unrolled(x)[0])
    assert [(layer.name, layer.kind) for layer in done.run.layers] == [("step", kind)]
    assert done.report.probe.wiring == "isolated"


def test_several_modules_each_have_their_own_input(inspect: Inspect) -> None:
    ahead, after = nn.LSTM(INPUTS, 4, batch_first=True), nn.GRU(7, 3, 2, batch_first=True)
    net = nn.ModuleDict({"encoder": ahead, "decoder": after})
    x, y = noise(BATCH, STEPS, INPUTS), noise(BATCH, STEPS, 7)
    done = inspect(net.state_dict(), x, y)
    assert done.report.probe.wiring == "isolated"
    for got, want in zip(done.run.outputs, (ahead(x)[0], after(y)[0]), strict=True):
        np.testing.assert_allclose(got, want.detach().numpy(), rtol=0, atol=1e-6)
    assert [layer.id for layer in done.run.layers] == ["encoder", "decoder_l0", "decoder_l1"]


# ---------------------------------------------------------------- total gradients


def unrolled_gradients(module: nn.RNNBase, x: Tensor) -> list[tuple[Tensor, Tensor | None]]:
    """(dL/dh, dL/dc) of each layer of a one-directional stack, by float64 autograd over cells.

    The loss is the mean of the squared output.
    """
    cell_kind = {nn.LSTM: nn.LSTMCell, nn.GRU: nn.GRUCell, nn.RNN: nn.RNNCell}[type(module)]
    sequence = [x.double()[:, t] for t in range(x.shape[1])]
    tracked: list[tuple[list[Tensor], list[Tensor]]] = []
    for k in range(module.num_layers):
        cell = cell_kind(sequence[0].shape[1], module.hidden_size).double()
        suffix = f"_l{k}"
        own = {n: p.double() for n, p in module.state_dict().items() if n.endswith(suffix)}
        cell.load_state_dict({name.removesuffix(suffix): value for name, value in own.items()})
        zero = torch.zeros(x.shape[0], module.hidden_size, dtype=torch.float64)
        state: Any = (zero, zero) if cell_kind is nn.LSTMCell else zero
        hidden, carried = [], []
        for step in sequence:
            state = cell(step, state)
            hidden.append(state[0] if cell_kind is nn.LSTMCell else state)
            carried += [state[1]] if cell_kind is nn.LSTMCell else []
        tracked.append((hidden, carried))
        sequence = hidden
    loss = torch.stack(sequence, 1).square().mean()
    gradients = []
    for hidden, carried in tracked:
        found = torch.autograd.grad(loss, [*hidden, *carried], retain_graph=True)
        dh, dc = torch.stack(found[: len(hidden)], 1), found[len(hidden) :]
        gradients.append((dh, torch.stack(dc, 1) if dc else None))
    return gradients


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_total_gradients(inspect: Inspect, kind: type[nn.RNNBase]) -> None:
    module = kind(INPUTS, UNITS, num_layers=2, batch_first=True)
    x = noise(BATCH, 30, INPUTS)
    done = inspect(module.state_dict(), x, loss="mean_square")
    expected = unrolled_gradients(module, x)
    for layer, (dh, dc) in zip(done.run.layers, expected, strict=True):
        np.testing.assert_allclose(
            layer.arrays.dL_dh, dh, rtol=0, atol=1e-6 * dh.abs().max().item()
        )
        assert (layer.arrays.dL_dc is None) == (dc is None)
        if layer.arrays.dL_dc is not None and dc is not None:
            np.testing.assert_allclose(
                layer.arrays.dL_dc, dc, rtol=0, atol=1e-6 * dc.abs().max().item()
            )


def one_direction(module: nn.RNNBase, ending: str) -> nn.RNNBase:
    """A one-directional layer with the weights of one direction of a bidirectional one."""
    single = type(module)(module.input_size, module.hidden_size)
    own = {
        name.removesuffix("_reverse"): tensor
        for name, tensor in module.state_dict().items()
        if name.endswith(ending)
    }
    single.load_state_dict(own)
    return single


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_total_gradients_of_both_directions(inspect: Inspect, kind: type[nn.RNNBase]) -> None:
    module = kind(INPUTS, UNITS, batch_first=True, bidirectional=True)
    x = noise(BATCH, 30, INPUTS)
    done = inspect(module.state_dict(), x, loss="mean_square")
    for layer, ending, read in zip(
        done.run.layers, ("_l0", "_reverse"), (x, x.flip(1)), strict=True
    ):
        ((dh, _),) = unrolled_gradients(one_direction(module, ending), read)
        # The mean is over twice as many numbers; gradients stand in processing order.
        np.testing.assert_allclose(
            layer.arrays.dL_dh, dh / 2, rtol=0, atol=1e-6 * dh.abs().max().item()
        )


# ---------------------------------------------------------------- published networks


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_metapredict_reproduces_its_published_scores(version: str) -> None:
    stored = np.load(DATA / "metapredict.npz")
    options = Options(probe=str(DATA / "metapredict.npz"), probe_key=("x",), device="cpu")
    run = pipeline.inspect(str(DATA / f"metapredict_{version}.pt"), options, in_full=True).run
    scores = run.outputs[0][..., 0].clip(0, 1)
    expected = stored[f"expected_{version}"]
    assert run.wiring == "assumed"
    assert np.isfinite(expected).sum() == stored["lengths"].sum()
    np.testing.assert_allclose(
        scores[np.isfinite(expected)], expected[np.isfinite(expected)], rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_padding_changes_nothing(tmp_path: Path, version: str) -> None:
    stored = np.load(DATA / "metapredict.npz")
    for k, length in enumerate(stored["lengths"]):
        np.save(tmp_path / "one.npy", stored["x"][k : k + 1, :length])
        options = Options(probe=str(tmp_path / "one.npy"), device="cpu")
        run = pipeline.inspect(str(DATA / f"metapredict_{version}.pt"), options, in_full=True).run
        expected = stored[f"expected_{version}"][k, :length]
        np.testing.assert_allclose(run.outputs[0][0, :, 0].clip(0, 1), expected, rtol=0, atol=1e-6)
