"""Recurrent modules of a state dict against torch.nn itself, through the whole pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from rnndiag import pipeline
from rnndiag.errors import NothingToAnalyse
from rnndiag.pipeline import Diagnosis
from rnndiag.records import Options

DATA = Path(__file__).parents[1] / "data" / "torch"
INPUTS, UNITS, BATCH, STEPS = 5, 6, 3, 9


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(1)


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(2))


def inspect(folder: Path, tensors: dict[str, Tensor], *inputs: Tensor, **options: Any) -> Diagnosis:
    """Save a state dict and its probe, and run the pipeline on the files."""
    torch.save(tensors, folder / "model.pt")
    probe = None
    if inputs:
        probe = str(folder / "probe.npz")
        np.savez(probe, **{f"x{k}" if k else "x": x.numpy() for k, x in enumerate(inputs)})
    chosen = Options(probe=probe, device="cpu", seeds=1, batch=2, timesteps=8, **options)
    return pipeline.inspect(str(folder / "model.pt"), chosen)


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
def test_a_modules_output(tmp_path: Path, kind: type[nn.RNNBase], settings: Any) -> None:
    module = kind(INPUTS, UNITS, batch_first=True, **settings)
    x = noise(BATCH, STEPS, INPUTS)
    nonlinearity = settings.get("nonlinearity", "tanh")
    done = inspect(tmp_path, module.state_dict(), x, nonlinearity=nonlinearity)
    assert_output(done, module(x)[0])
    directions = 1 + settings["bidirectional"]
    assert [layer.index for layer in done.run.layers] == [
        k for k in range(settings["num_layers"]) for _ in range(directions)
    ]
    assert {layer.direction for layer in done.run.layers} == {"forward", "backward"} - (
        set() if directions == 2 else {"backward"}
    )


@pytest.mark.parametrize(("kind", "settings"), MODULES)
def test_packed_sequences(tmp_path: Path, kind: type[nn.RNNBase], settings: Any) -> None:
    module = kind(INPUTS, UNITS, batch_first=True, **settings)
    lengths = torch.tensor([STEPS, 4, 1])
    x = noise(BATCH, STEPS, INPUTS)
    x[torch.arange(STEPS) >= lengths[:, None]] = 0
    packed = pack_padded_sequence(x, lengths, batch_first=True)
    expected, _ = pad_packed_sequence(module(packed)[0], batch_first=True)
    nonlinearity = settings.get("nonlinearity", "tanh")
    done = inspect(tmp_path, module.state_dict(), x, nonlinearity=nonlinearity)
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
    tmp_path: Path, cell: type[nn.RNNCellBase], module: type[nn.RNNBase], kind: str
) -> None:
    single = cell(INPUTS, UNITS)
    tensors = {f"step.{name}": tensor for name, tensor in single.state_dict().items()}
    tensors["out.weight"] = noise(2, UNITS)
    x = noise(BATCH, STEPS, INPUTS)
    done = inspect(tmp_path, tensors, x)
    unrolled = module(INPUTS, UNITS, batch_first=True)
    unrolled.load_state_dict({f"{k}_l0": v for k, v in single.state_dict().items()})
    assert_output(done, unrolled(x)[0])
    assert [(layer.name, layer.kind) for layer in done.run.layers] == [("step", kind)]
    assert done.report.probe.wiring == "isolated"


def test_several_modules_each_have_their_own_input(tmp_path: Path) -> None:
    ahead, after = nn.LSTM(INPUTS, 4, batch_first=True), nn.GRU(7, 3, 2, batch_first=True)
    net = nn.ModuleDict({"encoder": ahead, "decoder": after})
    x, y = noise(BATCH, STEPS, INPUTS), noise(BATCH, STEPS, 7)
    done = inspect(tmp_path, net.state_dict(), x, y)
    assert done.report.probe.wiring == "isolated"
    for got, want in zip(done.run.outputs, (ahead(x)[0], after(y)[0]), strict=True):
        np.testing.assert_allclose(got, want.detach().numpy(), rtol=0, atol=1e-6)
    assert [layer.name for layer in done.run.layers] == ["encoder", "decoder_l0", "decoder_l1"]


# ---------------------------------------------------------------- total gradients


def unrolled_gradients(module: nn.RNNBase, x: Tensor) -> list[tuple[Tensor, Tensor | None]]:
    """(dL/dh, dL/dc) of each layer of a one-directional stack, by float64 autograd over cells.

    The loss is the mean of the squared output; every state is a leaf of its own use.
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
def test_total_gradients(tmp_path: Path, kind: type[nn.RNNBase]) -> None:
    module = kind(INPUTS, UNITS, num_layers=2, batch_first=True)
    x = noise(BATCH, 30, INPUTS)
    done = inspect(tmp_path, module.state_dict(), x, loss="mean_square")
    expected = unrolled_gradients(module, x)
    for layer, (dh, dc) in zip(done.run.layers, expected, strict=True):
        np.testing.assert_allclose(layer.dL_dh, dh, rtol=0, atol=1e-6 * dh.abs().max().item())
        assert (layer.dL_dc is None) == (dc is None)
        if layer.dL_dc is not None and dc is not None:
            np.testing.assert_allclose(layer.dL_dc, dc, rtol=0, atol=1e-6 * dc.abs().max().item())


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("prefix", "label"),
    [
        ("", "lstm"),
        ("module.", "lstm"),
        ("_orig_mod.module.model.", "lstm"),
        ("encoder.", "encoder"),
        ("module.encoder.lstm.", "encoder.lstm"),
        ("encoder.module.", "encoder"),
    ],
)
def test_wrappers_are_not_shown(tmp_path: Path, prefix: str, label: str) -> None:
    module = nn.LSTM(INPUTS, UNITS, num_layers=2)
    tensors = {prefix + name: tensor for name, tensor in module.state_dict().items()}
    done = inspect(tmp_path, tensors)
    assert [layer.label for layer in done.run.layers] == [label, label]
    assert [layer.name for layer in done.run.layers] == [f"{label}_l0", f"{label}_l1"]


def test_no_two_layers_share_a_name(tmp_path: Path) -> None:
    stack, single, wrapped = nn.GRU(2, 3, 2), nn.GRU(2, 3), nn.GRU(2, 3)
    net = nn.ModuleDict({"rnn": stack, "rnn_l1": single, "module": nn.ModuleDict({"rnn": wrapped})})
    names = [layer.name for layer in inspect(tmp_path, net.state_dict()).run.layers]
    assert len(set(names)) == len(names) == 4


# ---------------------------------------------------------------- weights in pieces


def test_weight_normalisation(tmp_path: Path) -> None:
    module = nn.LSTM(INPUTS, UNITS, batch_first=True)
    nn.utils.parametrizations.weight_norm(module, "weight_hh_l0")
    nn.utils.parametrizations.weight_norm(module, "weight_ih_l0", dim=1)
    with torch.no_grad():
        module.parametrizations.weight_hh_l0.original0.mul_(1.7)
    x = noise(BATCH, STEPS, INPUTS)
    assert_output(inspect(tmp_path, module.state_dict(), x), module(x)[0])


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize("dim", [0, 1, None])
def test_weight_normalisation_of_older_torch(tmp_path: Path, dim: int | None) -> None:
    module = nn.GRU(INPUTS, UNITS, batch_first=True)
    nn.utils.weight_norm(module, "weight_hh_l0", dim=dim)
    with torch.no_grad():
        module.weight_hh_l0_g.mul_(1.7)
    x = noise(BATCH, STEPS, INPUTS)
    assert_output(inspect(tmp_path, module.state_dict(), x), module(x)[0])


def test_pruned_weights(tmp_path: Path) -> None:
    from torch.nn.utils import prune

    module = nn.GRU(INPUTS, UNITS, batch_first=True)
    prune.random_unstructured(module, "weight_hh_l0", amount=0.5)
    x = noise(BATCH, STEPS, INPUTS)
    assert_output(inspect(tmp_path, module.state_dict(), x), module(x)[0])


@pytest.mark.parametrize("place", ["", "module."])
def test_weight_drop_is_off_in_evaluation(tmp_path: Path, place: str) -> None:
    module = nn.LSTM(INPUTS, UNITS, batch_first=True)
    tensors = {f"rnn.{place}{name}": tensor for name, tensor in module.state_dict().items()}
    # What the last training step dropped may be stored beside the weight itself.
    dropped = tensors.pop(f"rnn.{place}weight_hh_l0")
    tensors["rnn.weight_hh_l0_raw"] = dropped
    if place:
        tensors[f"rnn.{place}weight_hh_l0"] = torch.zeros_like(dropped)
    x = noise(BATCH, STEPS, INPUTS)
    assert_output(inspect(tmp_path, tensors, x), module(x)[0])


# ---------------------------------------------------------------- no plain module


def strange(**changes: Tensor | None) -> dict[str, Tensor]:
    """An LSTM's tensors with some changed or, where None, taken out."""
    tensors = {f"bad.{name}": t for name, t in nn.LSTM(INPUTS, UNITS, 2).state_dict().items()}
    tensors.update({f"bad.{name}": t for name, t in changes.items() if t is not None})
    gone = {f"bad.{name}" for name, t in changes.items() if t is None}
    return {name: tensor for name, tensor in tensors.items() if name not in gone}


@pytest.mark.parametrize(
    ("tensors", "reason"),
    [
        (strange(weight_hh_l0=torch.ones(2 * UNITS, UNITS)), "are no LSTM's, GRU's or RNN's"),
        (strange(weight_hh_l0=torch.ones(4 * UNITS)), "are no LSTM's, GRU's or RNN's"),
        (strange(bias_ih_l1=torch.ones(3), bias_hh_l1=torch.ones(3)), "are no LSTM's"),
        (strange(bias_hh_l1=None), "one is missing"),
        (strange(weight_ih_l1=None), "stands without bad.weight_ih_l1"),
        (strange(weight_hh_l0=None), "not complete"),
        (strange(weight_hh_l1_reverse=torch.ones(24, 6)), "not complete"),
        (strange(weight_hh_l1_orig=torch.ones(24, 6)), "weight_hh_l1_orig is stored in a way"),
        (
            {f"bad.{n}": t for n, t in nn.LSTMCell(3, 4).state_dict().items()}
            | {"bad.layer_norm.weight": torch.ones(4)},
            "a custom cell, which also holds bad.layer_norm.weight",
        ),
    ],
)
def test_what_is_no_module_of_torch_is_named(
    tmp_path: Path, tensors: dict[str, Tensor], reason: str
) -> None:
    with pytest.raises(NothingToAnalyse, match=reason) as alone:
        inspect(tmp_path, tensors)
    assert alone.value.exit_code == 3
    good = {f"good.{name}": tensor for name, tensor in nn.GRU(2, 3).state_dict().items()}
    done = inspect(tmp_path, tensors | good)
    assert [layer.name for layer in done.run.layers] == ["good"]
    (missing,) = done.run.not_analysed
    assert missing.name == "bad"
    assert reason in missing.reason


def test_attention_is_no_gru(tmp_path: Path) -> None:
    attention = nn.MultiheadAttention(6, 2)
    with pytest.raises(NothingToAnalyse, match="no recurrent layer among its 4 tensors"):
        inspect(tmp_path, attention.state_dict())


# ---------------------------------------------------------------- published networks


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_metapredict_reproduces_its_published_scores(version: str) -> None:
    stored = np.load(DATA / "metapredict.npz")
    options = Options(probe=str(DATA / "metapredict.npz"), probe_key=("x",), device="cpu")
    run = pipeline.inspect(str(DATA / f"metapredict_{version}.pt"), options).run
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
        run = pipeline.inspect(str(DATA / f"metapredict_{version}.pt"), options).run
        expected = stored[f"expected_{version}"][k, :length]
        np.testing.assert_allclose(run.outputs[0][0, :, 0].clip(0, 1), expected, rtol=0, atol=1e-6)
