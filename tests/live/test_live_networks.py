"""``--model``: total gradients in a running network, against autograd and the state-dict path."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import utils
from torch.nn.utils import parametrizations

from rnndiag import checkpoints, pipeline
from rnndiag.cells.base import Cell
from rnndiag.errors import BadOption
from rnndiag.live import describing, loading
from rnndiag.live.network import followed
from rnndiag.records import Array, Options, ProbeRun
from tests.live import live_networks
from tests.live.live_networks import CLASSES, FEATURES, TOKENS, UNITS

BATCH, STEPS = 5, 12
NETWORKS = "tests.live.live_networks"
TOLERANCE = 1e-6


def saved(network: nn.Module, folder: Path) -> Path:
    path = folder / "network.pt"
    torch.save(network.state_dict(), path)
    return path


def features(folder: Path, **others: Array) -> Path:
    path = folder / "probe.npz"
    x = np.random.default_rng(1).standard_normal((BATCH, STEPS, FEATURES)).astype(np.float32)
    np.savez(path, x=x, **others)
    return path


def run(network: nn.Module, factory: str, folder: Path, **options: Any) -> ProbeRun:
    chosen = Options(model=f"{NETWORKS}:{factory}", device="cpu", **options)
    return pipeline.inspect(str(saved(network, folder)), chosen, in_full=True).run


def error(found: Any, expected: Any) -> float:
    """The largest difference, relative to the largest number."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape
    return float(np.abs(found - expected).max() / max(1e-30, np.abs(expected).max()))


@pytest.mark.parametrize("loss", [None, "mean_square"])
def test_the_same_as_by_the_state_dict(tmp_path: Path, loss: str | None) -> None:
    path = saved(live_networks.Chain(), tmp_path)
    ids = np.random.default_rng(0).integers(0, TOKENS, (BATCH, STEPS))
    np.save(tmp_path / "ids.npy", ids)
    options = {"probe": str(tmp_path / "ids.npy"), "loss": loss, "device": "cpu"}
    assumed = pipeline.inspect(str(path), Options(**options), in_full=True).run
    own = pipeline.inspect(
        str(path), Options(model=f"{NETWORKS}:Chain", **options), in_full=True
    ).run
    assert (assumed.wiring, own.wiring) == ("assumed", "exact")
    assert error(own.outputs[0], assumed.outputs[0]) < TOLERANCE
    for found, expected in zip(own.layers, assumed.layers, strict=True):
        assert (found.name, found.id, found.index) == (expected.name, expected.id, expected.index)
        assert found.parameters == expected.parameters
        for quantity in ("h", "c", "dL_dh", "dL_dc", "gamma", "direct"):
            value = getattr(expected.arrays, quantity)
            assert value.any()
            assert error(getattr(found.arrays, quantity), value) < TOLERANCE
        assert error(np.exp(found.pulse_log_norm), np.exp(expected.pulse_log_norm)) < TOLERANCE


def test_the_report_is_the_same_as_by_the_state_dict(tmp_path: Path) -> None:
    path = saved(live_networks.Chain(), tmp_path)
    options = {"timesteps": STEPS, "device": "cpu"}
    assumed = pipeline.diagnose(str(path), Options(**options))
    own = pipeline.diagnose(str(path), Options(model=f"{NETWORKS}:Chain", **options))
    spans = [
        [layer.measurements["gradient_span"].span for layer in r.layers] for r in (assumed, own)
    ]
    assert spans[0] == spans[1]
    assert [layer.name for layer in own.network] == ["ids", "embedding", "lstm_l0", "lstm_l1", "fc"]


# ---------------------------------------------------------------- cells in loops


@pytest.mark.parametrize("factory", ["Loop", "gru_loop", "rnn_loop"])
def test_a_cell_in_a_loop_against_autograd(tmp_path: Path, factory: str) -> None:
    network = getattr(live_networks, factory)()
    probe = features(tmp_path)
    (layer,) = run(network, factory, tmp_path, probe=str(probe), loss="mean_square").layers
    x = torch.from_numpy(np.load(probe)["x"]).double()
    network.double()
    state: Any = None
    states: list[tuple[Tensor, ...]] = []
    for t in range(STEPS):
        state = network.cell(x[:, t], state)
        states.append(state if isinstance(state, tuple) else (state,))
        for part in states[-1]:
            part.retain_grad()
    h = torch.stack([own[0] for own in states], 1)
    loss = network.fc(h).square().mean() + states[-1][0].square().mean()
    loss.backward()
    assert error(layer.arrays.h, h.detach()) < TOLERANCE
    assert error(layer.arrays.dL_dh, torch.stack([s[0].grad for s in states], 1)) < TOLERANCE
    if layer.arrays.dL_dc is not None:
        assert error(layer.arrays.dL_dc, torch.stack([s[1].grad for s in states], 1)) < TOLERANCE


def test_what_comes_directly_to_a_step_of_a_loop(tmp_path: Path) -> None:
    network = live_networks.Loop()
    probe = features(tmp_path)
    (layer,) = run(network, "Loop", tmp_path, probe=str(probe), loss="mean_square").layers
    h = torch.from_numpy(layer.arrays.h).requires_grad_()
    (network.fc(h).square().mean() + h[:, -1].square().mean()).backward()
    assert h.grad is not None
    assert error(layer.arrays.direct, h.grad) < TOLERANCE


def test_a_state_that_is_changed_in_between_is_isolated(tmp_path: Path) -> None:
    found = run(live_networks.changed(), "changed", tmp_path, probe=str(features(tmp_path)))
    (layer,) = found.layers
    assert found.wiring == "isolated"
    assert layer.isolated is not None
    assert "changes its state between the calls" in layer.isolated
    assert layer.arrays.h.shape == (BATCH, STEPS, UNITS)
    unchanged = run(live_networks.Loop(), "Loop", tmp_path, probe=str(features(tmp_path)))
    assert unchanged.wiring == "exact"


@pytest.mark.parametrize("size", [1, 5, STEPS])
def test_calls_that_go_on_are_one_sequence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    network = live_networks.Steps()
    monkeypatch.setattr(live_networks, "factory", lambda: live_networks.Steps(size), raising=False)
    probe = str(features(tmp_path))
    found = run(network, "factory", tmp_path, probe=probe, loss="mean_square")
    monkeypatch.setattr(live_networks, "factory", lambda: live_networks.Steps(STEPS))
    whole = run(network, "factory", tmp_path, probe=probe, loss="mean_square")
    for own, expected in zip(found.layers, whole.layers, strict=True):
        assert own.call == 0
        for quantity in ("h", "dL_dh", "dL_dc", "gamma", "direct"):
            assert (
                error(getattr(own.arrays, quantity), getattr(expected.arrays, quantity)) < TOLERANCE
            )
        assert error(np.exp(own.pulse_log_norm), np.exp(expected.pulse_log_norm)) < TOLERANCE


# ---------------------------------------------------------------- modules of torch.nn


def followed_and_plain(network: nn.Module, folder: Path, **inputs: Tensor) -> tuple[Any, Any]:
    """What a network gives, and a loss's gradient of its input, on rnndiag's cells and torch's."""
    checkpoint = checkpoints.read(saved(network, folder))
    loaded = loading.load(network, checkpoint.content, "test")
    network.eval()
    description = describing.describe(loaded, checkpoint, Options())
    weights: list[Tensor] = []
    found = []
    for on_cells in (True, False):
        x = inputs["x"].clone().requires_grad_()
        values = {**inputs, "x": x}
        if on_cells:
            uses, given = followed(network, description, values, "test")
            assert uses
        else:
            given = followed(
                network,
                describing.Description(graph=description.graph, owners={}, recurrent={}),
                values,
                "test",
            )[1]
        if not weights:
            weights = [torch.randn_like(own.value) for own in given]
        total = sum((own.value * w).sum() for own, w in zip(given, weights, strict=True))
        assert isinstance(total, Tensor)
        (gradient,) = torch.autograd.grad(total, x)
        found.append(([own.value.detach() for own in given], gradient))
    return found[0], found[1]


MODULES: dict[str, Callable[[], nn.Module]] = {
    "stacked": lambda: nn.LSTM(FEATURES, UNITS, 3, batch_first=True),
    "bidirectional": lambda: nn.GRU(FEATURES, UNITS, 2, bidirectional=True),
    "projected": lambda: nn.LSTM(FEATURES, UNITS, 2, bidirectional=True, proj_size=3),
    "relu": lambda: nn.RNN(FEATURES, UNITS, nonlinearity="relu", bias=False),
    "dropout": lambda: nn.LSTM(FEATURES, UNITS, 2, dropout=0.5),
    "weight norm": lambda: parametrizations.weight_norm(nn.GRU(FEATURES, UNITS), "weight_hh_l0"),
    "old weight norm": lambda: utils.weight_norm(nn.LSTM(FEATURES, UNITS), "weight_hh_l0"),
    "orthogonal": lambda: parametrizations.orthogonal(nn.RNN(FEATURES, UNITS), "weight_hh_l0"),
}


@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated:FutureWarning")
@pytest.mark.parametrize("kind", MODULES)
def test_modules_give_and_send_back_what_torchs_do(tmp_path: Path, kind: str) -> None:
    torch.manual_seed(3)
    network = live_networks.Reader(MODULES[kind]())
    (values, gradient), (expected, reference) = followed_and_plain(
        network, tmp_path, x=torch.randn(BATCH, STEPS, FEATURES)
    )
    for own, other in zip(values, expected, strict=True):
        assert error(own, other) < TOLERANCE
    assert error(gradient, reference) < TOLERANCE


@pytest.mark.parametrize("bidirectional", [True, False])
def test_packed_sequences(tmp_path: Path, bidirectional: bool) -> None:
    torch.manual_seed(4)
    lengths = torch.tensor([3, STEPS, 1, 7, 7])
    (values, gradient), (expected, reference) = followed_and_plain(
        live_networks.Packed(bidirectional),
        tmp_path,
        x=torch.randn(BATCH, STEPS, FEATURES),
        lengths=lengths,
    )
    for own, other in zip(values, expected, strict=True):
        assert error(own, other) < TOLERANCE
    assert error(gradient, reference) < TOLERANCE


def test_packed_steps_are_the_real_ones(tmp_path: Path) -> None:
    lengths = np.array([3, STEPS, 1, 7, 7])
    probe = features(tmp_path, lengths=lengths)
    found = run(live_networks.Packed(), "Packed", tmp_path, probe=str(probe))
    assert [layer.direction for layer in found.layers] == ["forward", "backward"] * 2
    for layer in found.layers:
        assert layer.mask.sum(1).tolist() == lengths.tolist()
        turned = layer.direction == "backward"
        assert layer.mask[2].tolist() == [
            (t == STEPS - 1 if turned else t == 0) for t in range(STEPS)
        ]


def test_time_first_is_turned(tmp_path: Path) -> None:
    network = live_networks.TimeFirst()
    probe = str(features(tmp_path))
    turned = run(network, "TimeFirst", tmp_path, probe=probe, loss="mean_square")
    plain = run(network, "BatchFirst", tmp_path, probe=probe, loss="mean_square")
    assert any("time first" in note for note in turned.notes)
    assert not any("time first" in note for note in plain.notes)
    assert error(turned.layers[0].arrays.dL_dh, plain.layers[0].arrays.dL_dh) < TOLERANCE
    assert [own.shape for own in turned.outputs] == [(BATCH, STEPS, CLASSES), (BATCH, 1, UNITS)]
    assert error(turned.outputs[0], plain.outputs[0]) < TOLERANCE


def test_a_loop_over_time_first(tmp_path: Path) -> None:
    network = live_networks.LoopTimeFirst()
    probe = features(tmp_path)
    found = run(network, "LoopTimeFirst", tmp_path, probe=str(probe))
    (layer,) = found.layers
    assert (found.wiring, layer.arrays.h.shape) == ("exact", (BATCH, STEPS, UNITS))
    assert error(found.outputs[0], layer.arrays.h) < TOLERANCE


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "LSTMCell", "RNNCell"])
def test_without_a_batch(tmp_path: Path, kind: str) -> None:
    torch.manual_seed(5)
    network = live_networks.Reader(getattr(nn, kind)(FEATURES, UNITS))
    shape = (FEATURES,) if kind.endswith("Cell") else (STEPS, FEATURES)
    (values, gradient), (expected, reference) = followed_and_plain(
        network, tmp_path, x=torch.randn(shape)
    )
    for own, other in zip(values, expected, strict=True):
        assert error(own, other) < TOLERANCE
    assert error(gradient, reference) < TOLERANCE


def test_without_a_gradient(tmp_path: Path) -> None:
    found = run(live_networks.Frozen(), "Frozen", tmp_path, timesteps=STEPS)
    assert any("torch.no_grad" in note for note in found.notes)
    assert found.layers[0].why_isotropic is not None


def test_subclasses_learnt_states_and_several_calls(tmp_path: Path) -> None:
    network = live_networks.Twice()
    probe = features(tmp_path)
    found = run(network, "Twice", tmp_path, probe=str(probe))
    assert [(layer.id, layer.call) for layer in found.layers] == [("lstm", 0), ("lstm", 1)]
    x = torch.from_numpy(np.load(probe)["x"])
    h, c = (part.detach().expand(1, BATCH, UNITS).contiguous() for part in network.first)
    with torch.no_grad():
        assert error(found.layers[0].arrays.h, network.lstm(x, (h, c))) < TOLERANCE
        assert error(found.layers[1].arrays.h, network.lstm(x.flip(1))) < TOLERANCE


def test_what_is_not_called_is_named(tmp_path: Path) -> None:
    found = run(live_networks.Loop(), "Loop", tmp_path, timesteps=STEPS)
    (missing,) = found.not_analysed
    assert (missing.name, missing.reason) == ("unused", "unused: not called in forward")


def test_a_cell_of_the_users_own_is_named(tmp_path: Path) -> None:
    network = live_networks.OwnEquations()
    found = run(network, "OwnEquations", tmp_path, probe=str(features(tmp_path)))
    (missing,) = found.not_analysed
    assert missing.name == "cell"
    assert "its class OwnCell is the user's own" in missing.reason
    assert [(layer.id, layer.isolated) for layer in found.layers] == [("unused", None)]
    assert found.wiring == "exact"


def test_outputs_go_by_their_names(tmp_path: Path) -> None:
    targets = tmp_path / "targets.npz"
    np.savez(targets, last=np.zeros((BATCH, UNITS)), logits=np.ones((BATCH, STEPS, CLASSES)))
    options = {"probe": str(features(tmp_path)), "targets": str(targets), "loss": "mse"}
    found = run(live_networks.Loop(), "Loop", tmp_path, **options)
    logits, last = found.outputs
    expected = np.square(logits - 1).mean() + np.square(last).mean()
    assert found.loss == pytest.approx(expected, rel=1e-6)


def test_a_network_that_gives_something_else_each_time_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadOption, match="from call to call"):
        run(live_networks.Counting(), "Counting", tmp_path, timesteps=STEPS)


def test_a_chaotic_network_is_as_exact_as_its_rounding(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = live_networks.Chain()
    with torch.no_grad():
        for parameter in network.lstm.parameters():
            parameter.mul_(30.0)
    found = run(network, "Chain", tmp_path, timesteps=100)
    assert any("last digit of the weights" in note for note in found.notes)


def test_a_wrong_cell_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Cell.project
    monkeypatch.setattr(Cell, "project", lambda cell, x: project(cell, x) + 1e-4)
    with pytest.raises(BadOption, match=r"differs by .* once its recurrences are followed"):
        run(live_networks.Chain(), "Chain", tmp_path, timesteps=STEPS)


def test_torchs_classes_are_left_as_they_were(tmp_path: Path) -> None:
    before = [kind.forward for kind in (*describing.RECURRENT, *describing.CELLS)]
    run(live_networks.Loop(), "Loop", tmp_path, timesteps=STEPS)
    with pytest.raises(BadOption):
        run(live_networks.Failing(), "Failing", tmp_path, timesteps=STEPS)
    after = [kind.forward for kind in (*describing.RECURRENT, *describing.CELLS)]
    assert before == after
