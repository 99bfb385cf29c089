"""Which state dicts are whole networks: assumed wiring where one order fits, and only there."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from rnndiag import pipeline
from rnndiag.pipeline import Diagnosis
from rnndiag.records import Options

BATCH, STEPS = 3, 7


class Row(nn.Module):
    """Modules one after the other; a recurrent one hands its sequence on."""

    def __init__(self, **modules: nn.Module) -> None:
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, x: Tensor) -> Tensor:
        for module in self.children():
            if isinstance(module, nn.BatchNorm1d):
                x = module(x.transpose(1, 2)).transpose(1, 2)
            elif isinstance(module, nn.RNNBase):
                x = module(x)[0]
            else:
                x = module(x)
        return x


def lstm(inputs: int, units: int, **settings: Any) -> nn.LSTM:
    return nn.LSTM(inputs, units, batch_first=True, **settings)


def trained_norm(norm: nn.Module) -> nn.Module:
    """A norm whose parameters and statistics are not those it starts with."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for tensor in norm.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
    return norm


def run(path: Path, folder: Path, x: Tensor) -> Diagnosis:
    np.save(folder / "x.npy", x.numpy())
    return pipeline.inspect(
        str(path), Options(probe=str(folder / "x.npy"), device="cpu"), in_full=True
    )


CHAINS = {
    "lstm-linear": lambda: Row(lstm=lstm(5, 6), fc=nn.Linear(6, 2)),
    "no-bias": lambda: Row(lstm=lstm(5, 6), fc=nn.Linear(6, 2, bias=False)),
    "embedding": lambda: Row(
        embedding=nn.Embedding(11, 5), lstm=lstm(5, 6, num_layers=2), fc=nn.Linear(6, 2)
    ),
    "embedding-by-shape": lambda: Row(
        encoder=nn.Embedding(11, 5), rnn=lstm(5, 6), decoder=nn.Linear(6, 11)
    ),
    "layer-norm": lambda: Row(
        lstm=lstm(5, 6, bidirectional=True),
        layer_norm=trained_norm(nn.LayerNorm(12)),
        head=nn.Sequential(nn.Linear(12, 2)),
    ),
    "batch-norm": lambda: Row(
        bn_in=trained_norm(nn.BatchNorm1d(5)),
        gru=nn.GRU(5, 6, batch_first=True),
        bn=trained_norm(nn.BatchNorm1d(6)),
        linear=nn.Linear(6, 2),
    ),
    "linear-first": lambda: Row(proj=nn.Linear(4, 5), rnn=nn.RNN(5, 6, batch_first=True)),
    "numbered": lambda: Row(lstm1=lstm(5, 6), lstm2=lstm(6, 4), fc=nn.Linear(4, 2)),
}


@pytest.fixture(params=CHAINS)
def network(request: pytest.FixtureRequest) -> Row:
    torch.manual_seed(1)
    row: Row = CHAINS[request.param]()
    return row.eval()


def input_for(network: Row) -> Tensor:
    first = next(network.children())
    generator = torch.Generator().manual_seed(2)
    if isinstance(first, nn.Embedding):
        return torch.randint(first.num_embeddings, (BATCH, STEPS), generator=generator)
    features = next(iter(network.state_dict().values())).shape[-1]
    return torch.randn(BATCH, STEPS, features, generator=generator)


def test_a_chain_gives_the_networks_output(tmp_path: Path, network: Row) -> None:
    torch.save(network.state_dict(), tmp_path / "m.pt")
    x = input_for(network)
    done = run(tmp_path / "m.pt", tmp_path, x)
    assert done.report.probe.wiring == "assumed"
    np.testing.assert_allclose(done.run.outputs[0], network(x).detach().numpy(), rtol=0, atol=2e-6)


def test_safetensors_do_not_keep_the_order(tmp_path: Path, network: Row) -> None:
    save_file(network.state_dict(), tmp_path / "m.safetensors")
    x = input_for(network)
    done = run(tmp_path / "m.safetensors", tmp_path, x)
    assert done.report.probe.wiring == "assumed"
    np.testing.assert_allclose(done.run.outputs[0], network(x).detach().numpy(), rtol=0, atol=2e-6)


NO_CHAINS = {
    "two linears need an activation": lambda: Row(
        lstm=lstm(5, 6), fc1=nn.Linear(6, 6), fc2=nn.Linear(6, 2)
    ),
    "a linear for something else": lambda: Row(lstm=lstm(5, 6), fc=nn.Linear(12, 2)),
    "defined in another order": lambda: Row(fc=nn.Linear(6, 2), lstm=lstm(5, 6)),
    "side by side": lambda: Row(ahead=lstm(6, 6), back=lstm(6, 6), fc=nn.Linear(6, 2)),
    "a convolution": lambda: Row(conv=nn.Conv1d(5, 5, 3), lstm=lstm(5, 6), fc=nn.Linear(6, 2)),
    "a group norm": lambda: Row(lstm=lstm(5, 6), group_norm=nn.GroupNorm(2, 6)),
    "embedding or linear": lambda: Row(first=nn.Embedding(5, 5), lstm=lstm(5, 6)),
    "attention": lambda: Row(lstm=lstm(5, 6), attention=nn.MultiheadAttention(6, 2)),
}


@pytest.mark.parametrize("name", NO_CHAINS)
def test_where_the_wiring_is_not_certain_modules_run_alone(tmp_path: Path, name: str) -> None:
    torch.manual_seed(1)
    network = NO_CHAINS[name]()
    torch.save(network.state_dict(), tmp_path / "m.pt")
    done = pipeline.inspect(
        str(tmp_path / "m.pt"), Options(device="cpu", timesteps=8), in_full=True
    )
    assert done.report.probe.wiring == "isolated"
    assert any(note.startswith("recurrent modules run on their own") for note in done.report.notes)
    recurrent = [n for n, m in network.named_children() if isinstance(m, nn.RNNBase)]
    assert [layer.id for layer in done.run.layers] == recurrent


def test_a_further_parameter_ends_the_certainty(tmp_path: Path) -> None:
    network = Row(lstm=lstm(5, 6), fc=nn.Linear(6, 2))
    tensors = OrderedDict(network.state_dict(), temperature=torch.ones(1))
    torch.save(tensors, tmp_path / "m.pt")
    done = pipeline.inspect(
        str(tmp_path / "m.pt"), Options(device="cpu", timesteps=8), in_full=True
    )
    assert done.report.probe.wiring == "isolated"
    assert "temperature" in " ".join(done.report.notes)


def test_sorted_tensors_that_fit_twice_are_not_wired(tmp_path: Path) -> None:
    network = Row(proj=nn.Linear(6, 6), lstm=lstm(6, 6))
    save_file(network.state_dict(), tmp_path / "m.safetensors")
    done = pipeline.inspect(
        str(tmp_path / "m.safetensors"), Options(device="cpu", timesteps=8), in_full=True
    )
    assert done.report.probe.wiring == "isolated"
    assert "in several ways" in " ".join(done.report.notes)
