"""Averages and other copies of the weights: which are taken, and that it is said."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from rnndiag import checkpoints
from rnndiag.errors import UnsupportedCheckpoint
from rnndiag.records import Checkpoint, StateDict


def lstm(seed: int) -> nn.LSTM:
    torch.manual_seed(seed)
    return nn.LSTM(3, 4)


def read(value: Any, folder: Path) -> Checkpoint:
    torch.save(value, folder / "m.pt")
    return checkpoints.read(folder / "m.pt")


def assert_same(checkpoint: Checkpoint, expected: Mapping[str, Tensor], prefix: str = "") -> None:
    assert isinstance(checkpoint.content, StateDict)
    assert list(checkpoint.content.tensors) == [prefix + name for name in expected]
    for name, tensor in expected.items():
        np.testing.assert_array_equal(checkpoint.content.tensors[prefix + name], tensor.numpy())


TRAINED, AVERAGE = lstm(1).state_dict(), lstm(2).state_dict()


def below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


@pytest.mark.parametrize(
    "name", ["ema", "ema_state_dict", "model_ema", "averaged_model", "swa_model", "shadow"]
)
@pytest.mark.parametrize("first", [True, False])
def test_those_that_were_trained_are_taken(tmp_path: Path, name: str, first: bool) -> None:
    pairs = [("model", TRAINED), (name, AVERAGE)]
    found = read(dict(pairs if first else pairs[::-1]), tmp_path)
    assert_same(found, TRAINED)
    assert found.notes == (f"weights from 'model'; left out as copies: {name!r}",)


@pytest.mark.parametrize("name", ["ema", "averaged_model"])
def test_an_average_alone_is_said_to_be_one(tmp_path: Path, name: str) -> None:
    found = read({name: AVERAGE, "epoch": 3}, tmp_path)
    assert_same(found, AVERAGE)
    (note,) = found.notes
    assert note == (
        f"weights from {name!r}: by their name a copy; those that were trained are not in the file"
    )


def test_torchs_averaged_model_by_its_count(tmp_path: Path) -> None:
    net = nn.ModuleDict({"rnn": lstm(1)})
    averaged = AveragedModel(net)
    averaged.update_parameters(nn.ModuleDict({"rnn": lstm(2)}))
    alone = read(averaged.state_dict(), tmp_path)
    assert alone.notes == (
        "weights: an average over the training; those that were trained are not in the file",
    )
    beside = read({"a": averaged.state_dict(), "b": net.state_dict()}, tmp_path)
    assert_same(beside, net.state_dict())
    assert beside.notes == ("weights from 'b'; left out as copies: 'a'",)


@pytest.mark.parametrize("place", [["ema"], ["ema", "state"]])
def test_lists_without_names(tmp_path: Path, place: list[str]) -> None:
    value: Any = {"decay": 0.999, "num_updates": 7, "shadow_params": list(AVERAGE.values())}
    for key in reversed(place):
        value = {key: value}
    found = read({"model": TRAINED, **value}, tmp_path)
    assert_same(found, TRAINED)
    path = ".".join((*place, "shadow_params"))
    assert found.notes == (f"weights from 'model'; left out as copies: {path!r}",)
    with pytest.raises(UnsupportedCheckpoint, match="no state dict"):
        read(value, tmp_path)


@pytest.mark.parametrize(
    ("online", "copy"), [("online_model", "ema_model"), ("student", "teacher"), ("net", "net_ema")]
)
def test_copies_in_one_state_dict(tmp_path: Path, online: str, copy: str) -> None:
    both = {**below(copy, AVERAGE), **below(online, TRAINED)}
    found = read(both, tmp_path)
    assert_same(found, TRAINED, f"{online}.")
    assert found.notes == (f"weights from the file itself; left out as copies: {copy!r}",)
    nested = read({"state_dict": both}, tmp_path)
    assert nested.notes[0].endswith(f"left out as copies: 'state_dict.{copy}'")


def test_another_network_of_that_name_is_no_copy(tmp_path: Path) -> None:
    """Of other sizes: distillation trains a student that is smaller than its teacher."""
    teacher = nn.LSTM(3, 8).state_dict()
    both = {**below("teacher", teacher), **below("student", TRAINED)}
    found = read(both, tmp_path)
    assert isinstance(found.content, StateDict)
    assert set(found.content.tensors) == set(both)


# ---------------------------------------------------------------- not as numbers


def quantized() -> nn.Module:
    net = nn.Sequential(nn.LSTM(3, 4), nn.Linear(4, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.ao.quantization.quantize_dynamic(net, {nn.LSTM})


@pytest.mark.parametrize("whole", [True, False])
def test_quantized_weights_are_named(tmp_path: Path, whole: bool) -> None:
    net = quantized()
    found = read(net if whole else net.state_dict(), tmp_path)
    assert isinstance(found.content, StateDict)
    assert list(found.content.unread) == ["0._all_weight_values"]
    assert set(found.content.tensors) == {"1.weight", "1.bias"}


@pytest.mark.parametrize(
    "make",
    [
        lambda ones: ones.to(torch.int8),
        lambda ones: torch.quantize_per_tensor(ones, 0.1, 0, torch.qint8),
        lambda ones: ones.to_sparse(),
        lambda ones: ones.to(torch.complex64),
    ],
    ids=["int8", "qint8", "sparse", "complex"],
)
@pytest.mark.filterwarnings("ignore:.*quantized tensor creation.*:UserWarning")
def test_tensors_that_are_no_weights_as_they_are(
    tmp_path: Path, make: Callable[[Tensor], Tensor]
) -> None:
    tensor = make(torch.ones(16, 4))
    found = read({"rnn.weight_hh_l0": tensor, "rnn.weight_ih_l0": torch.ones(16, 3)}, tmp_path)
    assert isinstance(found.content, StateDict)
    assert list(found.content.unread) == ["rnn.weight_hh_l0"]
    assert list(found.content.tensors) == ["rnn.weight_ih_l0"]


def roles(checkpoint: Checkpoint) -> dict[str, tuple[str | None, str | None]]:
    return {own.name: (own.role, own.reason) for own in checkpoint.stored}


def test_what_copies_are_said_to_be(tmp_path: Path) -> None:
    found = roles(read({"model": TRAINED, "ema": AVERAGE, "best": lstm(3).state_dict()}, tmp_path))
    assert found["model.weight_hh_l0"] == (None, None)
    assert found["ema.weight_hh_l0"] == ("copied", "a copy: averaged weights")
    assert found["best.weight_hh_l0"] == ("copied", "a further copy of the network's weights")
    # Two keys that are nothing but containers: the second is no copy by its name.
    found = roles(read({"model": TRAINED, "net": AVERAGE}, tmp_path))
    assert found["net.weight_hh_l0"] == ("copied", "a further copy of the network's weights")


def test_the_same_weights_in_two_places(tmp_path: Path) -> None:
    found = read({"net": {"weights": [TRAINED, TRAINED]}}, tmp_path)
    assert_same(found, TRAINED)
    assert found.notes == ("weights from 'net.weights.0'; left out as copies: 'net.weights.1'",)
    assert len(found.stored) == len(TRAINED)
    found = read({"net": {"weights": [TRAINED, AVERAGE]}}, tmp_path)
    assert found.notes == ("weights from 'net.weights.0', 'net.weights.1'",)


def test_many_places_are_two(tmp_path: Path) -> None:
    found = read({"runs": [TRAINED] * 100_000}, tmp_path)
    assert found.notes == ("weights from 'runs.0'; left out as copies: 'runs.1'",)


def test_a_module_in_two_places_is_one(tmp_path: Path) -> None:
    net = lstm(4)
    found = read({"model": net, "best": net}, tmp_path)
    assert_same(found, net.state_dict())
    assert "weights from 'model'; left out as copies: 'best'" in found.notes


def test_a_copy_by_name_that_repeats_nothing_is_not_analysed(tmp_path: Path) -> None:
    other = {"weight": torch.ones(3, 7)}
    found = read(
        {
            **{"model": TRAINED, "target_actor": other, "ema": AVERAGE},
            "teacher": {"loss": torch.ones(2)},
        },
        tmp_path,
    )
    told = {own.name: own for own in found.stored}
    assert told["target_actor.weight"].role == "not_analysed"
    assert told["target_actor.weight"].reason == "of a network without recurrent layers"
    assert told["teacher.loss"].role == "not_analysed"
    assert told["ema.weight_hh_l0"].role == "copied"
