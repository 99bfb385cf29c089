"""TorchScript archives, read as data."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rnndiag import checkpoints, pipeline
from rnndiag.errors import RnndiagError, UnreadableCheckpoint, UnsupportedCheckpoint
from rnndiag.records import Checkpoint, Options, StateDict

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),
]
QUICK = Options(device="cpu", seeds=1, batch=2, timesteps=4)


class Tagger(nn.Module):
    """Attributes of all the types that TorchScript stores."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 3)
        self.rnn = nn.GRU(3, 4, num_layers=2, bidirectional=True)
        self.out = nn.Linear(8, 2)
        self.scale = nn.Parameter(torch.arange(2.0))
        self.register_buffer("offset", torch.ones(2))
        self.sizes = [1, 2]
        self.names = ["a"]
        self.table = {"a": 1.5}
        self.pair = (1, "x")
        self.share = 0.25

    def forward(self, ids: Tensor) -> Tensor:
        return self.out(self.rnn(self.embedding(ids))[0]) * self.scale + self.offset


def tagger() -> Tagger:
    torch.manual_seed(1)
    return Tagger().eval()


def written(folder: Path, way: str) -> tuple[Path, Tagger]:
    module = tagger()
    if way == "traced":
        made = torch.jit.trace(module, torch.zeros(5, 2, dtype=torch.long))
    else:
        made = torch.jit.script(module)
    path = folder / "model.pt"
    (torch.jit.freeze(made) if way == "frozen" else made).save(path)
    return path, module


def content(checkpoint: Checkpoint) -> StateDict:
    assert isinstance(checkpoint.content, StateDict)
    return checkpoint.content


@pytest.mark.parametrize("way", ["scripted", "traced"])
def test_tensors_by_the_names_of_their_modules(tmp_path: Path, way: str) -> None:
    path, module = written(tmp_path, way)
    read = checkpoints.read(path)
    assert read.format == "torchscript"
    found, expected = content(read), module.state_dict()
    assert set(found.tensors) == set(expected)
    for name, tensor in expected.items():
        np.testing.assert_array_equal(found.tensors[name], tensor.numpy())
    assert found.modules["rnn"].class_name == "torch.nn.modules.rnn.GRU"
    assert read.notes == ("a TorchScript archive, read as data: its code was not run",)


def test_its_layers_are_analysed(tmp_path: Path) -> None:
    report = pipeline.diagnose(str(written(tmp_path, "scripted")[0]), QUICK)
    assert report.checkpoint.format == "torchscript"
    assert [layer.id for layer in report.layers if layer.analysed] == ["rnn_l0"] * 2 + [
        "rnn_l1"
    ] * 2


def test_frozen_archives_have_no_names(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedCheckpoint, match="no tensor has a name"):
        checkpoints.read(written(tmp_path, "frozen")[0])


def test_archives_without_tensors(tmp_path: Path) -> None:
    torch.jit.script(nn.Tanh()).save(tmp_path / "m.pt")
    with pytest.raises(UnsupportedCheckpoint, match="no state dict, but a __torch__"):
        checkpoints.read(tmp_path / "m.pt")


def test_its_code_is_never_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, module = written(tmp_path, "scripted")
    place = tmp_path / "was-run"
    attack = f"open({str(place)!r}, 'w')\n"
    with zipfile.ZipFile(path) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, own in records.items():
            archive.writestr(name, attack if "/code/" in name else own)
    monkeypatch.setattr(torch.jit, "load", None)
    before = set(sys.modules)
    assert set(content(checkpoints.read(path)).tensors) == set(module.state_dict())
    assert not [name for name in set(sys.modules) - before if "__torch__" in name]
    assert not place.exists()


def test_renamed_and_packed(tmp_path: Path) -> None:
    """By content: no name helps, and an archive may have been packed again."""
    path, module = written(tmp_path, "scripted")
    packed = tmp_path / "weights.h5"
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as to:
        for name in archive.namelist():
            to.writestr(name, archive.read(name))
    assert checkpoints.read(packed).format == "torchscript"
    assert set(content(checkpoints.read(packed)).tensors) == set(module.state_dict())


def test_cut_off_anywhere(tmp_path: Path) -> None:
    path, _ = written(tmp_path, "scripted")
    whole = path.read_bytes()
    for length in range(100, len(whole) - 1, 997):
        path.write_bytes(whole[:length])
        with pytest.raises(UnreadableCheckpoint, match="damaged"):
            checkpoints.read(path)


def test_a_wrong_bit_is_reported_or_harmless(tmp_path: Path) -> None:
    path, module = written(tmp_path, "scripted")
    whole, expected = path.read_bytes(), module.state_dict()
    refused = 0
    for place in range(0, len(whole), 331):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        try:
            found = content(checkpoints.read(path))
        except RnndiagError:
            refused += 1
        else:
            for name, tensor in expected.items():
                np.testing.assert_array_equal(found.tensors[name], tensor.numpy())
    assert refused > 30
