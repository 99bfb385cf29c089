"""safetensors files, whole and damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from rnndiag import checkpoints
from rnndiag.errors import UnreadableCheckpoint
from rnndiag.records import StateDict


@pytest.mark.parametrize("name", ["model.safetensors", "model.pt"])
@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_tensors_are_read_by_content(
    tmp_path: Path, name: str, metadata: dict[str, str] | None
) -> None:
    torch.manual_seed(1)
    tensors = nn.LSTM(3, 4).state_dict()
    tensors["half"] = torch.randn(4).half()
    tensors["brain"] = torch.randn(4).bfloat16()
    save_file({**tensors, "count": torch.tensor(3)}, tmp_path / name, metadata=metadata)
    read = checkpoints.read(tmp_path / name)
    assert (read.format, read.writer.framework, read.training) == ("safetensors", "torch", ())
    assert isinstance(read.content, StateDict)
    assert set(read.content.tensors) == set(tensors)
    for key, tensor in tensors.items():
        array = read.content.tensors[key]
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, tensor.float().numpy())


def test_truncated_files(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_file(nn.LSTM(3, 4).state_dict(), path)
    whole = path.read_bytes()
    for length in range(9, len(whole), 29):
        path.write_bytes(whole[:length])
        with pytest.raises(UnreadableCheckpoint, match="damaged or incomplete: safetensors says"):
            checkpoints.read(path)


@pytest.mark.parametrize(
    "content",
    [
        bytes(64),
        (5).to_bytes(8, "little"),
        (1 << 40).to_bytes(8, "little") + b"{}",
        b'{"weights": [1, 2, 3]}',
    ],
)
def test_what_is_no_safetensors(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    with pytest.raises(UnreadableCheckpoint, match="not a checkpoint"):
        checkpoints.read(path)
