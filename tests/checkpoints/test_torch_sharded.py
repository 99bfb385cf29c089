"""Sharded checkpoints with an index, whole, broken and made to lead elsewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from rnndiag import checkpoints, pipeline
from rnndiag.errors import RnndiagError, UnreadableCheckpoint, UnsafeCheckpoint
from rnndiag.records import Checkpoint, Options, StateDict

KINDS = ["safetensors", "bin"]


def network() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(3, 5), nn.LSTM(5, 4), nn.BatchNorm1d(4))


def sharded(folder: Path, tensors: Mapping[str, Tensor], kind: str, shards: int = 3) -> Path:
    """An index and its shards, the tensors dealt out in turn; the index's path."""
    names = list(tensors)
    places = {name: f"model-{k % shards + 1:05}.{kind}" for k, name in enumerate(names)}
    for shard in set(places.values()):
        own = {name: tensors[name].clone() for name in names if places[name] == shard}
        if kind == "bin":
            torch.save(own, folder / shard)
        else:
            save_file(own, folder / shard, metadata={"format": "pt"})
    return index(folder / f"model.{kind}.index.json", places)


def index(path: Path, places: Any) -> Path:
    """An index as transformers writes it: its names are sorted."""
    told = {"metadata": {"total_size": 123}, "weight_map": places}
    path.write_text(json.dumps(told, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return path


def content(checkpoint: Checkpoint) -> StateDict:
    assert isinstance(checkpoint.content, StateDict)
    return checkpoint.content


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("named", ["index", "folder"])
def test_all_tensors_of_all_shards(tmp_path: Path, kind: str, named: str) -> None:
    tensors = network().state_dict()
    path = sharded(tmp_path, tensors, kind)
    read = checkpoints.read(tmp_path if named == "folder" else path)
    expected = {"safetensors": "safetensors-sharded", "bin": "torch-sharded"}
    assert read.format == expected[kind]
    assert read.size_bytes == sum(file.stat().st_size for file in tmp_path.iterdir())
    assert read.notes[0] == f"3 shards, as {path.name} names them"
    real = {name: tensor for name, tensor in tensors.items() if tensor.is_floating_point()}
    assert set(content(read).tensors) == set(real)
    for name, tensor in real.items():
        np.testing.assert_array_equal(content(read).tensors[name], tensor.numpy())
    assert {own.name for own in read.stored} == set(tensors)


@pytest.mark.parametrize("kind", KINDS)
def test_its_layers_are_analysed(tmp_path: Path, kind: str) -> None:
    path = sharded(tmp_path, network().state_dict(), kind)
    options = Options(device="cpu", seeds=1, batch=2, timesteps=4)
    (layer,) = pipeline.diagnose(str(path), options).layers
    assert (layer.name, layer.kind, layer.analysed) == ("1", "LSTM", True)


def test_the_digest_is_of_every_file(tmp_path: Path) -> None:
    path = sharded(tmp_path, network().state_dict(), "bin")
    first = checkpoints.read(path).sha256
    assert checkpoints.read(path).sha256 == first
    torch.save({"0.weight": torch.ones(5, 3)}, tmp_path / "model-00001.bin")
    index(path, {"0.weight": "model-00001.bin"})
    assert checkpoints.read(path).sha256 != first


def test_safetensors_before_pickles_where_a_folder_has_both(tmp_path: Path) -> None:
    for kind in KINDS:
        sharded(tmp_path, network().state_dict(), kind)
    assert checkpoints.read(tmp_path).format == "safetensors-sharded"


def test_a_folder_with_two_models_has_none(tmp_path: Path) -> None:
    path = sharded(tmp_path, network().state_dict(), "safetensors")
    (tmp_path / "other.safetensors.index.json").write_bytes(path.read_bytes())
    with pytest.raises(UnreadableCheckpoint, match="a directory") as caught:
        checkpoints.read(tmp_path)
    assert "name one file inside it" in caught.value.hint


# ---------------------------------------------------------------- broken


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_shard(tmp_path: Path, kind: str) -> None:
    path = sharded(tmp_path, network().state_dict(), kind)
    (tmp_path / f"model-00002.{kind}").unlink()
    with pytest.raises(UnreadableCheckpoint, match=f"'model-00002.{kind}', which it names"):
        checkpoints.read(path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_tensor_that_is_not_where_it_should_be(tmp_path: Path, kind: str) -> None:
    path = sharded(tmp_path, network().state_dict(), kind)
    told = json.loads(path.read_text(encoding="utf-8"))["weight_map"]
    index(path, {**told, "lost": f"model-00001.{kind}"})
    with pytest.raises(UnreadableCheckpoint, match=f"'lost' is not in 'model-00001.{kind}'"):
        checkpoints.read(path)


@pytest.mark.parametrize("shard", [b"", b"version https://git-lfs.github.com/spec/v1\n", b"PK\3\4"])
def test_a_shard_that_is_none(tmp_path: Path, shard: bytes) -> None:
    path = sharded(tmp_path, network().state_dict(), "safetensors")
    (tmp_path / "model-00002.safetensors").write_bytes(shard)
    with pytest.raises(RnndiagError, match=r"model-00002\.safetensors"):
        checkpoints.read(path)


def test_shards_of_two_formats(tmp_path: Path) -> None:
    path = sharded(tmp_path, network().state_dict(), "safetensors")
    torch.save({"0.bias": torch.ones(5)}, tmp_path / "model-00002.safetensors")
    with pytest.raises(UnreadableCheckpoint, match="its shards are of two formats"):
        checkpoints.read(path)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"weight_map": {"a": 3}}', "something other than files"),
        ('{"weight_map": {}}', "names no tensors"),
        ('{"weight_map": {"a": "b.bin"', "is not JSON"),
        ('{"weight_map": {"a": "b.bin", "c": ' + "[" * 100_000, "is not JSON"),
        ('{"weight_map": {"a": ""}}', "something other than files"),
    ],
)
def test_a_broken_index(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "model.safetensors.index.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UnreadableCheckpoint, match=what):
        checkpoints.read(path)


@pytest.mark.parametrize(
    "text", ['{"weight_map": {"a": "model_0.weights.h5"}}', '{"weight_map": {"a": ["m.h5"]}}', "{}"]
)
def test_another_json_is_no_index(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UnreadableCheckpoint, match="not a checkpoint"):
        checkpoints.read(path)


# ---------------------------------------------------------------- leading elsewhere


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "../secret.safetensors",
        "a/../../secret.safetensors",
        "..\\secret.safetensors",
        "C:\\secret.safetensors",
        "\\\\server\\secret.safetensors",
        "a\0b",
    ],
)
def test_names_that_lead_out(tmp_path: Path, name: str) -> None:
    save_file({"a": torch.ones(2)}, tmp_path / "secret.safetensors")
    (tmp_path / "model").mkdir()
    path = index(tmp_path / "model" / "model.safetensors.index.json", {"a": name})
    with pytest.raises(UnsafeCheckpoint, match="which is not in its folder"):
        checkpoints.read(path)


@pytest.mark.parametrize("of", ["file", "folder"])
def test_links_that_lead_out(tmp_path: Path, of: str) -> None:
    save_file({"a": torch.ones(2)}, tmp_path / "secret.safetensors")
    folder = tmp_path / "model"
    folder.mkdir()
    if of == "file":
        (folder / "a.safetensors").symlink_to(tmp_path / "secret.safetensors")
        path = index(folder / "model.safetensors.index.json", {"a": "a.safetensors"})
    else:
        (folder / "sub").symlink_to(tmp_path)
        path = index(folder / "model.safetensors.index.json", {"a": "sub/secret.safetensors"})
    with pytest.raises(UnsafeCheckpoint, match="which is not in its folder"):
        checkpoints.read(path)


@pytest.mark.parametrize("named", [".", "model.safetensors.index.json"])
def test_a_cache_that_links_index_and_shards_to_one_folder(tmp_path: Path, named: str) -> None:
    blobs, folder = tmp_path / "blobs", tmp_path / "snapshots" / "0a1b"
    linked(blobs, folder)
    assert len(content(checkpoints.read(folder / named)).tensors) == 10


def test_a_folder_whose_index_leads_to_another_folder(tmp_path: Path) -> None:
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "model"
    linked(elsewhere, folder)
    with pytest.raises(UnsafeCheckpoint, match="leads out of the folder"):
        checkpoints.read(folder)
    # The link itself was named: whoever named it knows where it leads.
    found = checkpoints.read(folder / "model.safetensors.index.json")
    assert len(content(found).tensors) == 10


def linked(target: Path, folder: Path) -> None:
    """A sharded network in `target`, and links to all of its files in `folder`."""
    target.mkdir()
    folder.mkdir(parents=True)
    sharded(target, network().state_dict(), "safetensors")
    for file in target.iterdir():
        (folder / file.name).symlink_to(file)


@pytest.mark.parametrize("name", ["./a.bin", "sub//a.bin"])
def test_a_file_by_one_of_its_many_names(tmp_path: Path, name: str) -> None:
    (tmp_path / "sub").mkdir()
    for place in ("a.bin", "sub/a.bin"):
        torch.save({"a": torch.ones(2)}, tmp_path / place)
    path = index(tmp_path / "pytorch_model.bin.index.json", {"a": name})
    with pytest.raises(UnsafeCheckpoint, match="which is not in its folder"):
        checkpoints.read(path)


def test_shards_in_a_folder_below(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    save_file({"a.weight_hh_l0": torch.ones(2)}, tmp_path / "parts" / "a.safetensors")
    index(tmp_path / "m.safetensors.index.json", {"a.weight_hh_l0": "parts/a.safetensors"})
    assert list(content(checkpoints.read(tmp_path)).tensors) == ["a.weight_hh_l0"]


@pytest.mark.parametrize("kind", ["safetensors", "bin"])
def test_one_shard_alone_says_so(tmp_path: Path, kind: str) -> None:
    own = nn.GRU(2, 3).state_dict()
    shard = tmp_path / f"model-00001-of-00002.{kind}"
    if kind == "bin":
        torch.save(own, shard)
    else:
        save_file(own, shard)
    place = f"model.{kind}.index.json"
    told = f"by its name shard 1 of 2 alone; their index {place} is not beside it"
    assert told in checkpoints.read(shard).notes
    (tmp_path / place).write_text("{}")
    told = f"by its name shard 1 of 2 alone; {place} beside it gives the whole"
    assert told in checkpoints.read(shard).notes
    whole = shard.rename(tmp_path / f"model-00001-of-00001.{kind}")
    assert checkpoints.read(whole).notes == ()


def test_a_folder_of_shards_without_their_index(tmp_path: Path) -> None:
    with pytest.raises(UnreadableCheckpoint, match="a directory") as caught:
        checkpoints.read(tmp_path)
    assert caught.value.hint == "name one file inside it"
    for number in (1, 2):
        save_file(nn.GRU(2, 3).state_dict(), tmp_path / f"m-0000{number}-of-00002.safetensors")
    with pytest.raises(UnreadableCheckpoint, match="a directory") as caught:
        checkpoints.read(tmp_path)
    assert "lack their index, m.safetensors.index.json" in caught.value.hint
