"""Pickled networks whose forward pass is torch's own: wired exactly, against torch's output."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rnndiag import pipeline
from rnndiag.pipeline import Diagnosis
from rnndiag.records import Options

INPUTS, UNITS, BATCH, STEPS = 5, 6, 3, 9


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(1)


def inspect(net: nn.Module, folder: Path, x: Tensor) -> Diagnosis:
    torch.save(net, folder / "net.pt")
    np.savez(folder / "probe.npz", x=x.numpy())
    options = Options(probe=str(folder / "probe.npz"), device="cpu", seeds=1)
    return pipeline.inspect(str(folder / "net.pt"), options, in_full=True)


def lstm(inputs: int = INPUTS, **settings: Any) -> nn.LSTM:
    return nn.LSTM(inputs, UNITS, batch_first=True, **settings)


NORM = nn.LayerNorm(4, eps=0.1)
EXACT = [
    lambda: lstm(num_layers=2, bidirectional=True),
    lambda: nn.Sequential(lstm()),
    lambda: nn.Sequential(nn.Linear(INPUTS, 4), nn.ReLU(), lstm(4)),
    lambda: nn.Sequential(nn.Linear(INPUTS, 4), nn.Tanh(), NORM, nn.SiLU(), lstm(4)),
    lambda: nn.Sequential(
        nn.Sequential(nn.Linear(INPUTS, 7, bias=False), nn.Sigmoid(), nn.Dropout(0.5)),
        nn.Sequential(nn.Identity(), nn.Linear(7, 4), nn.Sequential(lstm(4), nn.Identity())),
    ),
    lambda: nn.Sequential(nn.Tanh(), lstm()),
]


@pytest.mark.parametrize("number", range(len(EXACT)))
def test_a_sequence_of_torchs_modules_is_exact(tmp_path: Path, number: int) -> None:
    net = EXACT[number]().eval()
    x = torch.randn(BATCH, STEPS, INPUTS)
    done = inspect(net, tmp_path, x)
    assert done.report.probe.wiring == "exact"
    expected = net(x)[0].detach().numpy()
    np.testing.assert_allclose(done.run.outputs[0], expected, rtol=0, atol=1e-6)
    assert all(layer.reason is None for layer in done.report.layers)


def test_token_ids(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Embedding(9, 4, padding_idx=0), nn.Linear(4, INPUTS), lstm()).eval()
    x = torch.randint(0, 9, (BATCH, STEPS))
    done = inspect(net, tmp_path, x)
    assert done.report.probe.wiring == "exact"
    expected = net(x)[0].detach().numpy()
    np.testing.assert_allclose(done.run.outputs[0], expected, rtol=0, atol=1e-6)


class Plain(nn.Sequential):
    """Its forward pass may be another."""


def hooked() -> nn.Module:
    net = nn.Sequential(nn.Linear(INPUTS, 4), lstm(4))
    net[0].register_forward_hook(_twice)
    return net


def _twice(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
    return 2 * output


UNCERTAIN = [
    lambda: Plain(nn.Linear(INPUTS, 4), lstm(4)),
    hooked,
    lambda: nn.Sequential(nn.Linear(INPUTS, 4), nn.GELU(), lstm(4)),
    lambda: nn.Sequential(lstm(), nn.Linear(UNITS, 2)),
    lambda: nn.Sequential(nn.Linear(INPUTS, 4), nn.LeakyReLU(0.5), lstm(4)),
    lambda: nn.ModuleList([nn.Linear(INPUTS, 4), lstm(4)]),
    lambda: nn.Sequential(nn.Linear(INPUTS, 7), lstm(4)),
    lambda: nn.Sequential(nn.Embedding(9, 4, max_norm=0.5), lstm(4)),
    lambda: nn.Sequential(nn.Embedding(9, 4, max_norm=1), lstm(4)),
]


@pytest.mark.parametrize("number", range(len(UNCERTAIN)))
def test_whatever_is_not_certain_stays_so(tmp_path: Path, number: int) -> None:
    torch.save(UNCERTAIN[number](), tmp_path / "net.pt")
    options = Options(device="cpu", seeds=1, batch=2, timesteps=4)
    assert pipeline.diagnose(str(tmp_path / "net.pt"), options).probe.wiring != "exact"


# ---------------------------------------------------------------- classes of users


@pytest.fixture
def theirs() -> Iterator[ModuleType]:
    made = ModuleType("theirs")
    code = "from torch import nn\nclass Cell(nn.LSTMCell): pass\nclass ZoneoutLSTM(nn.LSTM): pass\n"
    exec(code, made.__dict__)
    sys.modules["theirs"] = made
    yield made
    sys.modules.pop("theirs", None)


def test_a_subclass_is_run_as_its_parent_and_said_to_be(tmp_path: Path, theirs: Any) -> None:
    torch.save(nn.ModuleDict({"a": theirs.Cell(3, 4)}), tmp_path / "net.pt")
    options = Options(device="cpu", seeds=1, batch=2, timesteps=4)
    report = pipeline.diagnose(str(tmp_path / "net.pt"), options)
    assert [layer.analysed for layer in report.layers] == [True]
    assert "a: theirs.Cell is run as nn.LSTMCell" in report.notes


def test_a_subclass_that_says_it_does_otherwise_is_not_run(tmp_path: Path, theirs: Any) -> None:
    torch.save(nn.ModuleDict({"a": theirs.ZoneoutLSTM(3, 4)}), tmp_path / "net.pt")
    options = Options(device="cpu", seeds=1, batch=2, timesteps=4)
    report = pipeline.diagnose(str(tmp_path / "net.pt"), options)
    (layer,) = report.layers
    assert (report.exit_code, layer.kind, layer.analysed) == (3, "Zoneout", False)
    assert "told by its class theirs.ZoneoutLSTM" in str(layer.reason)
