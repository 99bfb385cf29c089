"""Files of torch.save in every container; files that must be refused, with one message."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rnndiag import checkpoints
from rnndiag.records import Array, Checkpoint, StateDict


def lstm(seed: int = 1) -> nn.LSTM:
    torch.manual_seed(seed)
    return nn.LSTM(3, 4)


def save(value: Any, path: Path, *, legacy: bool = False) -> Path:
    torch.save(value, path, _use_new_zipfile_serialization=not legacy)
    return path


def tensors_of(checkpoint: Checkpoint) -> Mapping[str, Array]:
    assert isinstance(checkpoint.content, StateDict)
    return checkpoint.content.tensors


def assert_same(checkpoint: Checkpoint, expected: Mapping[str, Tensor]) -> None:
    tensors = tensors_of(checkpoint)
    assert list(tensors) == list(expected)
    for name, tensor in expected.items():
        assert tensors[name].dtype == np.float32
        np.testing.assert_array_equal(tensors[name], tensor.float().numpy())


# ---------------------------------------------------------------- containers


@pytest.mark.parametrize(("legacy", "format"), [(False, "torch-zip"), (True, "torch-legacy")])
@pytest.mark.parametrize("name", ["model.pt", "model.bin", "model", "model.h5"])
def test_plain_state_dict_by_content(tmp_path: Path, name: str, legacy: bool, format: str) -> None:
    module = lstm()
    read = checkpoints.read(save(module.state_dict(), tmp_path / name, legacy=legacy))
    assert_same(read, module.state_dict())
    assert (read.format, read.writer.framework) == (format, "torch")
    assert read.size_bytes == (tmp_path / name).stat().st_size
    assert read.notes == ()


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_float32(tmp_path: Path, dtype: torch.dtype, legacy: bool) -> None:
    module = lstm().to(dtype)
    read = checkpoints.read(save(module.state_dict(), tmp_path / "m.pt", legacy=legacy))
    assert_same(read, module.state_dict())


def test_views_of_one_storage_and_strides(tmp_path: Path) -> None:
    flat = torch.arange(48.0)
    tensors = {"rnn.weight_hh_l0": flat[:16].view(4, 4), "rnn.weight_ih_l0": flat[16:].view(8, 4).T}
    assert_same(checkpoints.read(save(tensors, tmp_path / "m.pt")), tensors)


def test_counters_and_ids_are_no_weights(tmp_path: Path) -> None:
    norm = nn.BatchNorm1d(3)
    read = checkpoints.read(save(norm.state_dict(), tmp_path / "m.pt"))
    assert list(tensors_of(read)) == ["weight", "bias", "running_mean", "running_var"]


def test_float32_weights_are_not_copied(tmp_path: Path) -> None:
    read = checkpoints.read(save({"weight_hh_l0": torch.ones(64, 64)}, tmp_path / "m.pt"))
    tensors = tensors_of(read)
    assert np.shares_memory(tensors["weight_hh_l0"], tensors["weight_hh_l0"])


# ---------------------------------------------------------------- nested in many ways


@pytest.mark.parametrize(
    "keys",
    [["state_dict"], ["model_state_dict"], ["model_state"], ["net"], ["anything", "else"]],
)
def test_nested_state_dict(tmp_path: Path, keys: list[str]) -> None:
    module = lstm()
    value: Any = module.state_dict()
    for key in reversed(keys):
        value = {"epoch": 3, key: value, "losses": [0.5, 0.25]}
    read = checkpoints.read(save(value, tmp_path / "m.pt"))
    assert_same(read, module.state_dict())
    assert read.notes == ()


@pytest.mark.parametrize("legacy", [False, True])
def test_optimizer_buffers_are_never_the_model(tmp_path: Path, legacy: bool) -> None:
    module = lstm()
    optimizer = torch.optim.Adam(module.parameters())
    module(torch.ones(2, 1, 3))[0].sum().backward()
    optimizer.step()
    named = {f"{n}.exp_avg": p.detach() for n, p in module.named_parameters()}
    value = {
        "optimizer": optimizer.state_dict(),
        "rnn_opt": {"weight_hh_l0": torch.zeros(16, 4)},
        "optimizer_named": named,
        "model": module.state_dict(),
    }
    assert_same(
        checkpoints.read(save(value, tmp_path / "m.pt", legacy=legacy)), module.state_dict()
    )


@pytest.mark.parametrize("name", ["ema", "model_ema", "state_dict_ema", "best_state"])
def test_trained_weights_before_their_average(tmp_path: Path, name: str) -> None:
    trained, average = lstm(1), lstm(2)
    wrapped = {f"module.{key}": tensor for key, tensor in average.state_dict().items()}
    read = checkpoints.read(save({name: wrapped, "net": trained.state_dict()}, tmp_path / "m.pt"))
    assert_same(read, trained.state_dict())
    assert read.notes == (f"weights from 'net'; left out as copies: {name!r}",)


def test_networks_side_by_side_are_all_kept(tmp_path: Path) -> None:
    encoder, decoder = lstm(1), lstm(2)
    value = {
        "en": encoder.state_dict(),
        "de": decoder.state_dict(),
        "en_opt": torch.optim.SGD(encoder.parameters()).state_dict(),
    }
    read = checkpoints.read(save(value, tmp_path / "m.pt"))
    expected = {f"{key}.{n}": t for key in ("en", "de") for n, t in value[key].items()}
    assert_same(read, expected)
    assert read.notes == ("weights from 'en', 'de'",)


def test_weights_before_tensors_of_other_kinds(tmp_path: Path) -> None:
    module = lstm()
    value = {"normalizer": {"mean": torch.zeros(3)}, "step": torch.tensor(4.0)}
    read = checkpoints.read(save([value, module.state_dict()], tmp_path / "m.pt"))
    assert_same(read, module.state_dict())


def test_a_mapping_that_contains_itself(tmp_path: Path) -> None:
    value: dict[str, Any] = {"weights": lstm().state_dict()}
    value["self"] = value
    assert len(tensors_of(checkpoints.read(save(value, tmp_path / "m.pt")))) > 0


@pytest.mark.parametrize("wide", [list, lambda items: {str(k): x for k, x in enumerate(items)}])
def test_containers_that_hold_themselves_many_times(tmp_path: Path, wide: Any) -> None:
    inner: list[Any] = []
    inner.extend([inner] * 200)
    value = wide([inner] * 40)
    for _ in range(4):
        value = wide([value] * 40)
    module = lstm()
    read = checkpoints.read(save([inner, value, module.state_dict()], tmp_path / "m.pt"))
    assert_same(read, module.state_dict())


def test_state_dicts_keep_their_order(tmp_path: Path) -> None:
    tensors = OrderedDict((name, torch.ones(2)) for name in ("z", "a", "m"))
    read = checkpoints.read(save(tensors, tmp_path / "m.pt"))
    assert list(tensors_of(read)) == ["z", "a", "m"]


def test_archives_without_checksums(tmp_path: Path) -> None:
    module = lstm()
    torch.serialization.set_crc32_options(False)
    try:
        save(module.state_dict(), tmp_path / "m.pt")
    finally:
        torch.serialization.set_crc32_options(True)
    assert_same(checkpoints.read(tmp_path / "m.pt"), module.state_dict())
