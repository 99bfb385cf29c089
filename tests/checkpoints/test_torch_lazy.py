"""Of a large file, only recurrent tensors and what surrounds them are read and converted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from rnndiag import pipeline
from rnndiag.checkpoints._torch.tensors import LazyArrays
from rnndiag.records import Options, Shape

OPTIONS = Options(device="cpu", seeds=1, batch=2, timesteps=4)
STRANGERS = {f"encoder.{k}.filters": torch.ones(8, 3, 5).half() for k in range(20)}
"""Of a module that is neither recurrent nor known."""
RECURRENT = {f"rnn.{name}": t.half() for name, t in nn.LSTM(3, 4, 2).state_dict().items()}


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each tensor was fetched from its file, to be converted."""
    counts: Counter[str] = Counter()
    original = LazyArrays.__init__

    def counting(
        self: LazyArrays, names: Mapping[str, Shape], fetch: Callable[[str], Tensor]
    ) -> None:
        def fetch_and_count(name: str) -> Tensor:
            counts[name] += 1
            return fetch(name)

        original(self, names, fetch_and_count)

    monkeypatch.setattr(LazyArrays, "__init__", counting)
    return counts


def save(tensors: dict[str, Tensor], folder: Path, format: str) -> str:
    path = folder / "model"
    if format == "safetensors":
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
    else:
        torch.save(tensors, path, _use_new_zipfile_serialization=format == "torch-zip")
    return str(path)


@pytest.mark.parametrize("format", ["torch-zip", "torch-legacy", "safetensors"])
def test_strangers_are_never_fetched(tmp_path: Path, format: str, fetched: Counter[str]) -> None:
    tensors = STRANGERS | RECURRENT
    report = pipeline.diagnose(save(tensors, tmp_path, format), OPTIONS)
    assert report.checkpoint.format == format
    assert report.checkpoint.parameters == sum(tensor.numel() for tensor in tensors.values())
    assert [layer.id for layer in report.layers] == ["rnn_l0", "rnn_l1"]
    assert fetched == dict.fromkeys(RECURRENT, 1)


@pytest.mark.parametrize("format", ["torch-zip", "safetensors"])
def test_a_chain_is_fetched_once(tmp_path: Path, format: str, fetched: Counter[str]) -> None:
    around = {f"head.{name}": t.half() for name, t in nn.Linear(4, 2).state_dict().items()}
    report = pipeline.diagnose(save(RECURRENT | around, tmp_path, format), OPTIONS)
    assert report.probe.wiring == "assumed"
    assert fetched == dict.fromkeys(RECURRENT | around, 1)


@pytest.mark.parametrize("format", ["torch-zip", "safetensors"])
def test_weights_in_pieces_are_fetched_once(
    tmp_path: Path, format: str, fetched: Counter[str]
) -> None:
    module = nn.utils.parametrizations.weight_norm(nn.GRU(3, 4), "weight_hh_l0")
    tensors = {f"rnn.{name}": tensor for name, tensor in module.state_dict().items()}
    report = pipeline.diagnose(save(tensors | STRANGERS, tmp_path, format), OPTIONS)
    assert [layer.kind for layer in report.layers] == ["GRU"]
    assert fetched == dict.fromkeys(tensors, 1)


def test_nothing_is_fetched_where_no_rnn_is(tmp_path: Path, fetched: Counter[str]) -> None:
    assert pipeline.diagnose(save(STRANGERS, tmp_path, "safetensors"), OPTIONS).exit_code == 3
    assert fetched == {}
