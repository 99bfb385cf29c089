"""Checkpoints in several files: an index with its shards, and torch's distributed folders."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from tests.fuzz.seeds import ROOT, Arguments, writes


def _state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return nn.LSTM(3, 4, num_layers=2).state_dict()


def _index(folder: Path, name: str, where: dict[str, str]) -> Arguments:
    held = {"metadata": {"total_size": 1}, "weight_map": where}
    (folder / name).write_text(json.dumps(held), encoding="utf-8")
    return (name,)


@writes("shards")
def safetensors_with_an_index(folder: Path) -> Arguments:
    where = {name: f"model-0000{1 + name.endswith('l1')}-of-00002.safetensors" for name in _state()}
    for file in set(where.values()):
        own = {name: tensor for name, tensor in _state().items() if where[name] == file}
        save_file(own, folder / file)
    return _index(folder, "model.safetensors.index.json", where)


@writes("shards")
def pickles_with_an_index(folder: Path) -> Arguments:
    torch.save(_state(), folder / "part.bin")
    where = dict.fromkeys(_state(), "part.bin")
    return _index(folder, "pytorch_model.bin.index.json", where)


@writes("distributed")
def a_distributed_folder(folder: Path) -> Arguments:
    # Stored, because torch writes a name of its own into each.
    shutil.copytree(ROOT / "tests" / "data" / "fuzz" / "distributed", folder / "saved")
    return ("saved",)
