"""What PyTorch writes of tensors: state dicts, older files, safetensors.

Whole modules and TorchScript come out as other bytes each time: they are stored in
`tests/data/fuzz`.
"""

from __future__ import annotations

import re
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from tests.fuzz.seeds import Arguments, writes


class Tagger(nn.Module):
    """A network of one's own, as people pickle them."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(9, 3)
        self.lstm = nn.LSTM(3, 4, num_layers=2, bidirectional=True, batch_first=True)
        self.head = nn.Linear(8, 2)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        hidden, _ = self.lstm(self.embedding(tokens))
        out: torch.Tensor = self.head(hidden)
        return out


def tagger() -> Tagger:
    torch.manual_seed(0)
    return Tagger()


@writes("torch-zip")
def state_dict_of_a_gru(folder: Path) -> Arguments:
    torch.manual_seed(0)
    torch.save(nn.GRU(3, 4, num_layers=2).state_dict(), folder / "gru.pt")
    return ("gru.pt",)


@writes("torch-zip")
def training_state(folder: Path) -> Arguments:
    net = tagger()
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=0.1)
    net(torch.ones(2, 5, dtype=torch.long)).square().mean().backward()
    optimizer.step()
    held = {"model": net.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}
    torch.save(held, folder / "training.pt")
    return ("training.pt",)


def _flat(module: nn.RNNBase) -> dict[str, torch.Tensor]:
    """A state dict in one storage: older files name storages by their place in memory."""
    state = module.state_dict()
    flat = torch.cat([tensor.flatten() for tensor in state.values()])
    pieces = flat.split([tensor.numel() for tensor in state.values()])
    return {name: own.view(state[name].shape) for name, own in zip(state, pieces, strict=True)}


def _saved_before_1_6(value: object, path: Path) -> Path:
    """What torch.save wrote then; the storage's name, always of other digits, becomes ``0``."""
    torch.save(value, path, _use_new_zipfile_serialization=False)
    content = re.sub(rb"X[\x08-\x14]\x00\x00\x00\d{8,20}", b"X\x01\x00\x00\x000", path.read_bytes())
    path.write_bytes(content)
    return path


@writes("torch-legacy")
def older_state_dict(folder: Path) -> Arguments:
    torch.manual_seed(0)
    return (_saved_before_1_6(_flat(nn.LSTM(3, 4)), folder / "lstm.pt").name,)


@writes("torch-legacy")
def older_training_state(folder: Path) -> Arguments:
    torch.manual_seed(0)
    state = {"rnn." + name: own for name, own in _flat(nn.GRU(3, 4, bidirectional=True)).items()}
    held = {"state_dict": state, "args": {"lr": 0.1, "clip": 5.0}, "epoch": 2}
    return (_saved_before_1_6(held, folder / "gru.pth").name,)


@writes("safetensors")
def tensors_of_a_tagger(folder: Path) -> Arguments:
    save_file(tagger().state_dict(), folder / "tagger.safetensors", {"format": "pt"})
    return ("tagger.safetensors",)


@writes("safetensors")
def tensors_of_half_precision(folder: Path) -> Arguments:
    torch.manual_seed(0)
    state = {name: own.bfloat16() for name, own in nn.LSTM(3, 4).state_dict().items()}
    save_file(state, folder / "lstm.safetensors")
    return ("lstm.safetensors",)
