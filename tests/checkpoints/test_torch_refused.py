"""Files that must be refused, with one message and without anything in them being run."""

from __future__ import annotations

import argparse
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from rnndiag import checkpoints
from rnndiag.errors import RnndiagError, UnreadableCheckpoint, UnsupportedCheckpoint
from rnndiag.records import StateDict


def lstm() -> nn.LSTM:
    torch.manual_seed(1)
    return nn.LSTM(3, 4)


def save(value: Any, path: Path, *, legacy: bool = False) -> Path:
    torch.save(value, path, _use_new_zipfile_serialization=not legacy)
    return path


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (torch.ones(3), "but a Tensor"),
        ({"epoch": 3, "loss": 0.5}, "but a dict with the keys epoch, loss"),
        ({}, "but a dict that is empty"),
        ([1, 2], "but a list"),
        ({"optimizer": torch.optim.SGD([torch.ones(3)]).state_dict()}, "the keys optimizer"),
        (nn.Tanh(), "but a torch.nn.modules.activation.Tanh"),
        (argparse.Namespace(lr=1), "but a argparse.Namespace with the keys lr"),
    ],
)
def test_files_without_weights(tmp_path: Path, value: Any, told: str) -> None:
    with pytest.raises(UnsupportedCheckpoint, match=told):
        checkpoints.read(save(value, tmp_path / "m.pt"))


# ---------------------------------------------------------------- damaged


@pytest.mark.parametrize("legacy", [False, True])
def test_truncated_files(tmp_path: Path, legacy: bool) -> None:
    whole = save(lstm().state_dict(), tmp_path / "m.pt", legacy=legacy).read_bytes()
    path = tmp_path / "cut.pt"
    for length in range(60, len(whole) - 1, 37):
        path.write_bytes(whole[:length])
        with pytest.raises(UnreadableCheckpoint, match="damaged or incomplete") as error:
            checkpoints.read(path)
        assert "\n" not in error.value.message


def test_a_wrong_bit_in_an_archive_never_passes(tmp_path: Path) -> None:
    expected = lstm().state_dict()
    whole = save(expected, tmp_path / "m.pt").read_bytes()
    path = tmp_path / "flipped.pt"
    refused = 0
    for place in range(0, len(whole), 41):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        try:
            content = checkpoints.read(path).content
        except RnndiagError:
            refused += 1
        else:
            # Padding and headers that nobody reads may change without harm.
            assert isinstance(content, StateDict)
            for name, tensor in expected.items():
                np.testing.assert_array_equal(content.tensors[name], tensor.numpy())
    assert refused > 40


def test_wrong_bits_in_a_bare_pickle_raise_nothing_else(tmp_path: Path) -> None:
    whole = save(lstm().state_dict(), tmp_path / "m.pt", legacy=True).read_bytes()
    path = tmp_path / "flipped.pt"
    refused = 0
    for place in range(0, len(whole), 17):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        try:
            checkpoints.read(path)
        except RnndiagError:
            refused += 1
    assert refused > 20


@pytest.mark.parametrize(
    "content",
    [
        b"import torch\n" * 40,
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n",
        np.random.default_rng(0).bytes(4096),
        pickle.dumps({"a": 1}),
    ],
)
def test_what_torch_save_did_not_write(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.pt"
    path.write_bytes(content)
    with pytest.raises(UnreadableCheckpoint, match="not a checkpoint"):
        checkpoints.read(path)


@pytest.mark.parametrize("member", ["notes.txt", "set/data/0.csv"])
def test_other_zip_files(tmp_path: Path, member: str) -> None:
    path = tmp_path / "m.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, "no weights")
    with pytest.raises(UnreadableCheckpoint, match="not a checkpoint"):
        checkpoints.read(path)
