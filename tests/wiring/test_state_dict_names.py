"""Names of a state dict: which modules they tell of, pieces of weights, what is no module."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rnndiag.pipeline import Diagnosis

Inspect = Callable[..., Diagnosis]
INPUTS, UNITS, BATCH, STEPS = 5, 6, 3, 9


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(1)


def noise() -> Tensor:
    return torch.randn(BATCH, STEPS, INPUTS, generator=torch.Generator().manual_seed(2))


def assert_output(diagnosis: Diagnosis, expected: Tensor) -> None:
    (output,) = diagnosis.run.outputs
    np.testing.assert_allclose(output, expected.detach().numpy(), rtol=0, atol=1e-6)


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
def test_wrappers_are_not_shown(inspect: Inspect, prefix: str, label: str) -> None:
    module = nn.LSTM(INPUTS, UNITS, num_layers=2)
    tensors = {prefix + name: tensor for name, tensor in module.state_dict().items()}
    done = inspect(tensors)
    assert [layer.name for layer in done.run.layers] == [label, label]
    assert [layer.id for layer in done.run.layers] == [f"{label}_l0", f"{label}_l1"]


def test_no_two_layers_share_a_name(inspect: Inspect) -> None:
    stack, single, wrapped = nn.GRU(2, 3, 2), nn.GRU(2, 3), nn.GRU(2, 3)
    net = nn.ModuleDict({"rnn": stack, "rnn_l1": single, "module": nn.ModuleDict({"rnn": wrapped})})
    names = [layer.id for layer in inspect(net.state_dict()).run.layers]
    assert len(set(names)) == len(names) == 4


# ---------------------------------------------------------------- weights in pieces


def test_weight_normalisation(inspect: Inspect) -> None:
    module = nn.LSTM(INPUTS, UNITS, batch_first=True)
    nn.utils.parametrizations.weight_norm(module, "weight_hh_l0")
    nn.utils.parametrizations.weight_norm(module, "weight_ih_l0", dim=1)
    with torch.no_grad():
        module.parametrizations.weight_hh_l0.original0.mul_(1.7)
    x = noise()
    assert_output(inspect(module.state_dict(), x), module(x)[0])


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize("dim", [0, 1, None])
def test_weight_normalisation_of_older_torch(inspect: Inspect, dim: int | None) -> None:
    module = nn.GRU(INPUTS, UNITS, batch_first=True)
    nn.utils.weight_norm(module, "weight_hh_l0", dim=dim)
    with torch.no_grad():
        module.weight_hh_l0_g.mul_(1.7)
    x = noise()
    assert_output(inspect(module.state_dict(), x), module(x)[0])


def test_pruned_weights(inspect: Inspect) -> None:
    from torch.nn.utils import prune

    module = nn.GRU(INPUTS, UNITS, batch_first=True)
    prune.random_unstructured(module, "weight_hh_l0", amount=0.5)
    x = noise()
    assert_output(inspect(module.state_dict(), x), module(x)[0])


@pytest.mark.parametrize("place", ["", "module."])
def test_weight_drop_is_off_in_evaluation(inspect: Inspect, place: str) -> None:
    module = nn.LSTM(INPUTS, UNITS, batch_first=True)
    tensors = {f"rnn.{place}{name}": tensor for name, tensor in module.state_dict().items()}
    # What the last training step dropped may be stored beside the weight itself.
    dropped = tensors.pop(f"rnn.{place}weight_hh_l0")
    tensors["rnn.weight_hh_l0_raw"] = dropped
    if place:
        tensors[f"rnn.{place}weight_hh_l0"] = torch.zeros_like(dropped)
    x = noise()
    assert_output(inspect(tensors, x), module(x)[0])


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
        (strange(weight_hh_l0=torch.ones(4 * UNITS)), "is a vector: each unit sees only itself"),
        (strange(bias_ih_l1=torch.ones(3), bias_hh_l1=torch.ones(3)), "are no LSTM's"),
        (strange(bias_hh_l1=None), "one is missing"),
        (strange(weight_ih_l1=None), "stands without bad.weight_ih_l1"),
        (strange(weight_hh_l0=None), "not complete"),
        (strange(weight_hh_l1_reverse=torch.ones(24, 6)), "not complete"),
        (strange(weight_hh_l1_orig=torch.ones(24, 6)), "weight_hh_l1_orig is stored in a way"),
        (
            strange(weight_hh_l1_g=torch.ones(5, 1), weight_hh_l1_v=torch.ones(24, 6)),
            "weight_hh_l1_g is stored in a way",
        ),
        (
            {f"bad.{n}": t for n, t in nn.LSTMCell(3, 4).state_dict().items()}
            | {"bad.layer_norm.weight": torch.ones(4)},
            "a custom cell, which also holds bad.layer_norm.weight",
        ),
    ],
)
def test_what_is_no_module_of_torch_is_named(
    inspect: Inspect, tensors: dict[str, Tensor], reason: str
) -> None:
    alone = inspect(tensors).report
    assert alone.exit_code == 3
    assert reason in str(alone.layers[0].reason)
    good = {f"good.{name}": tensor for name, tensor in nn.GRU(2, 3).state_dict().items()}
    done = inspect(tensors | good)
    assert [layer.name for layer in done.run.layers] == ["good"]
    (missing,) = done.run.not_analysed
    assert missing.name == "bad"
    assert reason in missing.reason


def test_attention_is_no_gru(inspect: Inspect) -> None:
    attention = nn.MultiheadAttention(6, 2)
    report = inspect(attention.state_dict()).report
    assert report.exit_code == 3
    assert any("none of the 4 tensors" in note for note in report.notes)
