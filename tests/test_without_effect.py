"""Options that do not count for a checkpoint are said not to; files that are missing, at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import rnndiag
from rnndiag import checkpoints, comparing
from rnndiag.advising import Case
from rnndiag.errors import BadOption, BadProbe, UnreadableCheckpoint


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    torch.save(nn.GRU(3, 4).state_dict(), "gru.pt")
    torch.save(nn.RNN(3, 4).state_dict(), "rnn.pt")
    np.save("probe.npy", np.ones((2, 5, 3), np.float32))


def ignored(path: str, **options: Any) -> list[str]:
    return [note for note in rnndiag.diagnose(path, **options).notes if "not count" in note]


def test_beside_a_probe_file() -> None:
    shaping = {"batch": 3, "seeds": 2, "probe_kind": "uniform", "timesteps": 7}
    assert ignored("gru.pt", probe="probe.npy", **shaping) == [
        "--timesteps does not count: the probe file has its own length",
        "--batch, --seeds, --probe-kind do not count: the probe file has its own samples",
    ]
    assert ignored("gru.pt", probe="probe.npy", seeds=2) == [
        "--seeds does not count: the probe file has its own samples"
    ]
    assert ignored("gru.pt", probe="probe.npy") == []
    assert ignored("gru.pt", **shaping) == []


def test_windows_of_what_carries_no_state() -> None:
    (note,) = ignored("gru.pt", windows=3, timesteps=5)
    assert note.startswith("--windows does not count")
    assert ignored("gru.pt", timesteps=5) == []


def test_an_activation_that_is_no_question() -> None:
    (note,) = ignored("gru.pt", nonlinearity="relu", timesteps=5)
    assert note.startswith("--nonlinearity does not count")
    assert ignored("rnn.pt", nonlinearity="relu", timesteps=5) == []
    sample = str(Path(__file__).parents[1] / "samples" / "brackets_bidirectional.h5")
    (note,) = ignored(sample, nonlinearity="relu")
    assert "Keras's files tell activations themselves" in note


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"probe": "none.npy"}, BadProbe),
        ({"probe": "probe.npy", "targets": "none.npy"}, BadProbe),
        ({"model": "none.py:build"}, BadOption),
    ],
)
def test_missing_files_are_told_before_the_checkpoint_is_read(
    options: dict[str, str], error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "read", pytest.fail)
    with pytest.raises(error, match="none"):
        rnndiag.diagnose("gru.pt", **options)


def test_a_missing_second_file_is_told_before_the_first_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(checkpoints, "read", pytest.fail)
    with pytest.raises(UnreadableCheckpoint, match=r"gone\.pt: no such file"):
        comparing.compare(("gru.pt", "gone.pt"), (Case(), Case()))
